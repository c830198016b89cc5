/** What can be done with a study or a slide, as the items of its menu. */

import { api, messageOf, type Subject } from "./api.ts";
import { archives } from "./archives.ts";
import { openDownload } from "./dialogs/download.ts";
import { openMetadata } from "./dialogs/metadata.ts";
import { openRemove } from "./dialogs/remove.ts";
import { openSend } from "./dialogs/send.ts";
import type { MenuItem } from "./elements/menu.ts";
import { notices } from "./notices.ts";
import { router } from "./router.ts";
import { hrefOf } from "./routes.ts";

/** What an act is about, and what people call it. */
export interface Named {
  title: string;
  study: string;
  series?: string;
  archives: readonly string[];
}

/** The archive that is asked: the first that holds it; a folder on this machine before others. */
export function subjectOf(named: Named): Subject {
  const held = named.archives.map((id) => archives.named(id));
  const near = held.find((one) => one?.folder || one?.local);
  const archive = near?.id ?? named.archives[0] ?? "";
  return { archive, study: named.study, ...(named.series ? { series: named.series } : {}) };
}

/** The menu of a study. */
export function actsOnStudy(study: Named): MenuItem[] {
  const open: MenuItem = {
    words: "Open study",
    icon: "slides",
    act: () => router.go(hrefOf({ page: "study", study: study.study })),
  };
  return [open, copyLink({ page: "study", study: study.study }), ...moving(study)];
}

/** The menu of a slide. */
export function actsOnSlide(slide: Named & { series: string }): MenuItem[] {
  const subject = { ...subjectOf(slide), series: slide.series };
  const route = { page: "view", ...subject, place: null } as const;
  return [
    { words: "Open slide", icon: "slides", act: () => router.go(hrefOf(route)) },
    { words: "Metadata", icon: "tags", act: () => openMetadata(subject, slide.title) },
    copyLink(route),
    { words: "Copy Python", icon: "python", act: () => void copyPython(subject) },
    ...moving(slide),
  ];
}

function moving(named: Named): MenuItem[] {
  const subject = subjectOf(named);
  const items: MenuItem[] = [];
  if (mayDownload()) {
    const act = (): void => openDownload(subject, named.title);
    items.push({ words: "Download …", icon: "down", act });
  }
  if (archives.besides(subject.archive).length > 0) {
    items.push({ words: "Send to …", icon: "send", act: () => openSend(subject, named.title) });
  }
  const here = archives.removable.find((one) => named.archives.includes(one.id));
  if (here) {
    const mine = { ...subject, archive: here.id };
    const act = (): void => openRemove(mine, named.title, here.name);
    items.push({ words: "Remove …", icon: "remove", act, danger: true });
  }
  return items;
}

/** Whether objects may be written to folders of the machine that the app runs on. */
export function mayDownload(): boolean {
  return archives.about.paths && !archives.about.readOnly;
}

function copyLink(route: Parameters<typeof hrefOf>[0]): MenuItem {
  const copy = (): void => void copyText(location.origin + hrefOf(route), "The link was copied.");
  return { words: "Copy link", icon: "link", act: copy };
}

/** Copy the lines of Python that open a slide, at a place of it where `query` says so. */
export async function copyPython(subject: Required<Subject>, query = ""): Promise<void> {
  try {
    await copyText(await api.python(subject, query), "The lines of Python were copied.");
  } catch (error) {
    notices.fail(messageOf(error));
  }
}

export async function copyText(text: string, said: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notices.say(said);
  } catch {
    notices.fail(`The browser does not let this page copy. Copy it by hand: ${text}`);
  }
}
