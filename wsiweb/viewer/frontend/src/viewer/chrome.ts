/** All controls around a slide, made and tied to what they steer. */

import type { Source } from "../source/source.ts";
import { FoundCard } from "./controls/found.ts";
import { factsOf } from "./controls/facts.ts";
import { openGoTo } from "./controls/goto.ts";
import { openHelp } from "./controls/help.ts";
import { AssociatedImage } from "./controls/label.ts";
import { LayerList } from "./controls/layerlist.ts";
import { Navigator } from "./controls/navigator.ts";
import { Notice } from "./controls/notice.ts";
import { Panel } from "./controls/panel.ts";
import { Readout } from "./controls/readout.ts";
import { ScaleBar } from "./controls/scalebar.ts";
import { openTags } from "./controls/tags.ts";
import { Toolbar } from "./controls/toolbar.ts";
import { colourSwitch } from "./controls/colour.ts";
import { copyText } from "./copy.ts";
import type { Frame } from "./frame.ts";
import { listen } from "./keyboard.ts";
import type { Layers } from "./layers/layers.ts";
import type { Manifest } from "./manifest.ts";
import type { ViewerOptions } from "./options.ts";
import { type Point, watchPointer, wheelOnlyFocused } from "./pointer.ts";
import type { SlideImages } from "./slideimages.ts";
import type { Stage } from "./stage.ts";
import { objectiveOf } from "./units.ts";
import { boxOf, type View } from "./view.ts";
import { wordsOf } from "./words.ts";

/** What the controls need to know of the rest. */
export interface Parts {
  readonly frame: Frame;
  readonly slide: Manifest;
  readonly stage: Stage;
  readonly source: Source;
  readonly images: SlideImages;
  readonly layers: Layers;
  readonly options: ViewerOptions;
  /** Aborted when the viewer goes. */
  readonly signal: AbortSignal;
}

export interface Chrome {
  /** Tell the user, in a line. */
  say(words: string): void;
  layersFailed(error: unknown): void;
  destroy(): void;
}

const ZOOM = 1.6;

/** Focus without the outline: nobody has touched the keyboard yet. It shows from then on. */
function focusQuietly(canvas: HTMLElement): void {
  canvas.classList.add("wsiweb-quiet-focus");
  const loud = (): void => canvas.classList.remove("wsiweb-quiet-focus");
  for (const event of ["keydown", "blur"]) canvas.addEventListener(event, loud, { once: true });
  canvas.focus({ preventScroll: true });
}

export function chrome(parts: Parts): Chrome {
  return new Controls(parts);
}

class Controls implements Chrome {
  private readonly notice = new Notice();
  private readonly scaleBar: ScaleBar;
  private readonly readout: Readout;
  private readonly navigator: Navigator;
  private readonly toolbar: Toolbar;
  private readonly panel: Panel;
  private readonly list: LayerList;
  private readonly found: FoundCard;
  private readonly associated: readonly AssociatedImage[];
  private readonly stop: readonly (() => void)[];
  /** Where the pointer is, in CSS pixels of the slide's element; null while it is elsewhere. */
  private pointer: Point | null = null;

  constructor(private readonly parts: Parts) {
    const { frame, slide, stage, source, layers, options } = parts;
    this.scaleBar = new ScaleBar(slide.mpp?.[0] ?? null);
    this.readout = new Readout(objectiveOf(slide.objective, slide.mpp));
    this.navigator = new Navigator(slide, (point) => stage.goto(point));
    this.found = new FoundCard(stage, source, layers);
    this.list = new LayerList(layers);
    this.toolbar = new Toolbar(this.acts);
    this.panel = new Panel(slide.title, {
      close: () => this.openPanel(false),
      tags: () => void openTags(frame.root, source),
      link: options.link === null ? null : () => void this.copyLink(),
      python: () => void this.copyPython(),
    });
    this.associated = this.fillPanel();
    this.assemble();
    this.stop = [
      stage.frame.on((view) => this.update(view)),
      layers.changed.on(() => this.found.keepShown()),
      stage.failed.on((words) => this.say(`Some of the picture could not be had: ${words}`)),
      watchPointer(stage, {
        click: (point) => void this.found.show(point, false),
        rest: (point) => void this.found.show(point, true),
        move: (point) => this.moved(point),
      }),
    ];
    if (options.wheel === "focused") wheelOnlyFocused(stage, frame.root);
    if (options.focus) focusQuietly(stage.osd.canvas);
  }

  say = (words: string): void => this.notice.say(words);

  layersFailed(error: unknown): void {
    this.list.failed(wordsOf(error));
  }

  destroy(): void {
    for (const stop of this.stop) stop();
    this.notice.clear();
    this.found.hide();
    this.navigator.destroy();
    for (const image of this.associated) image.destroy();
  }

  /** What buttons and keys do. */
  private readonly acts = {
    pan: (right: number, down: number) => this.parts.stage.panBy(right, down),
    zoomIn: () => this.parts.stage.zoomBy(ZOOM),
    zoomOut: () => this.parts.stage.zoomBy(1 / ZOOM),
    home: () => this.parts.stage.home(),
    oneToOne: () => this.parts.stage.goto({ downsample: 1 / devicePixelRatio }),
    goTo: () =>
      openGoTo(this.parts.frame.root, this.parts.stage.goal, (at) => this.parts.stage.goto(at)),
    overlays: () => this.parts.layers.show(this.parts.layers, !this.parts.layers.visible),
    inquire: () => void this.askMiddle(),
    panel: () => this.openPanel(!this.panelOpen),
    fullscreen: () =>
      void this.parts.frame
        .fullscreen()
        .catch(() => this.say("This page may not fill the screen.")),
    help: () => openHelp(this.parts.frame.root),
  };

  private get panelOpen(): boolean {
    return !this.panel.element.hidden;
  }

  private openPanel(open: boolean): void {
    // What is hidden loses the focus, and with it the viewer would lose its keys.
    const held = this.panel.element.matches(":focus-within");
    this.panel.element.hidden = !open;
    this.toolbar.pressed(open);
    if (held && !open) this.toolbar.focusPanel();
  }

  private fillPanel(): readonly AssociatedImage[] {
    const { frame, slide, images } = this.parts;
    this.panel.section("Layers", this.list.element);
    if (slide.icc) this.panel.section("Colour", colourSwitch(images));
    const associated: AssociatedImage[] = [];
    if (slide.label) associated.push(new AssociatedImage(frame.root, "label", "Label"));
    if (slide.overview) associated.push(new AssociatedImage(frame.root, "overview", "Whole glass"));
    if (associated.length > 0) {
      const row = document.createElement("div");
      row.className = "wsiweb-associated-row";
      row.append(...associated.map((image) => image.element));
      this.panel.section("Glass", row);
    }
    this.panel.section("Slide", factsOf(slide));
    return associated;
  }

  private assemble(): void {
    const { frame, slide, source, options, signal, stage } = this.parts;
    frame.root.setAttribute("aria-label", `Slide ${slide.title}`);
    stage.osd.canvas.setAttribute("role", "application");
    stage.osd.canvas.setAttribute("aria-label", "Slide. Arrow keys move, plus and minus zoom.");
    const foot = document.createElement("div");
    foot.className = "wsiweb-foot";
    foot.append(this.scaleBar.element, this.readout.element);
    frame.ground.append(
      this.toolbar.element,
      this.navigator.element,
      foot,
      this.found.element,
      this.notice.element,
    );
    frame.root.append(this.panel.element);
    this.openPanel(options.panel && frame.wide);
    listen(frame.root, this.acts);
    frame.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.found.open) return;
      this.found.hide();
      event.stopPropagation();
    });
    void this.navigator.load(source, signal);
    for (const image of this.associated) void image.load(source, signal);
  }

  private update(view: View): void {
    this.scaleBar.update(view);
    this.readout.update(view, this.pointed(view));
    this.navigator.update(boxOf(view, this.parts.stage.screen));
    this.found.follow();
  }

  private moved(point: Point | null): void {
    this.pointer = point;
    this.found.moved();
    const { view } = this.parts.stage;
    this.readout.update(view, this.pointed(view));
  }

  /** What the coordinates are of: what is under the pointer now, or the middle of the view. */
  private pointed(view: View): Point {
    return this.pointer === null ? view : this.parts.stage.toSlide(this.pointer.x, this.pointer.y);
  }

  /** Say what is in the middle of the view, for those without a pointer. */
  private async askMiddle(): Promise<void> {
    const there = await this.found.show(this.parts.stage.goal, false);
    if (!there) this.say("No layer that is shown has anything in the middle of the view.");
  }

  private async copyLink(): Promise<void> {
    const { frame, options, stage } = this.parts;
    if (options.link === null) return;
    const copied = await copyText(frame.root, "Link to this view", options.link(stage.goal));
    if (copied) this.say("The link to this view has been copied.");
  }

  private async copyPython(): Promise<void> {
    const { frame, source, stage } = this.parts;
    const { x, y, downsample } = stage.goal;
    const place = `x=${Math.round(x)}&y=${Math.round(y)}&d=${downsample.toFixed(3)}`;
    try {
      const text = await source.text(`python?${place}`);
      if (await copyText(frame.root, "Python", text))
        this.say("The Python lines have been copied.");
    } catch (error) {
      this.say(`The Python lines could not be had: ${wordsOf(error)}`);
    }
  }
}
