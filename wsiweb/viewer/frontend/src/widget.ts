/**
 * The viewer as a Jupyter widget (an anywidget module).
 *
 * One model may be seen in several places: each has a viewer and a source of its own, and they move
 * together. Until the kernel is heard, the picture of the slide that stands in the notebook beside
 * the widget stays in view (`wsiweb.viewer.still`).
 */

import "./viewer/style.css";
import "./widget.css";
import { ChannelSource, type Wire } from "./source/channel.ts";
import { SlideViewer } from "./viewer/viewer.ts";
import type { View } from "./viewer/view.ts";

/** What is synchronised with `wsiweb.viewer.widget.View`. */
interface State {
  readonly x: number | null;
  readonly y: number | null;
  readonly downsample: number | null;
  readonly height: number;
  readonly _overlays: boolean;
  readonly _screen: readonly [number, number];
  readonly _name: string;
}

/** As much of anywidget's model as is used here. */
interface Model extends Wire {
  get<K extends keyof State>(key: K): State[K];
  set<K extends keyof State>(key: K, value: State[K]): void;
  save_changes(): void;
  on(event: "msg:custom", callback: (content: unknown, buffers: DataView[]) => void): void;
  on(event: `change:${keyof State}`, callback: () => void): void;
  off(event: "msg:custom", callback: (content: unknown, buffers: DataView[]) => void): void;
  off(event: `change:${keyof State}`, callback: () => void): void;
}

const PLACE = ["x", "y", "downsample"] as const;
const TOUCHES = ["pointerdown", "wheel", "keydown"] as const;

const BUSY = "The kernel is busy. What is missing comes when it is free.";
const RESTARTED = "If the kernel was restarted, run this cell again.";
/** Silence (ms) after which that is said, too. */
const LONG = 28_000;

const WAITING = "Waiting for the kernel. If it is gone, run this cell again.";

export default {
  render({ model, el }: { model: Model; el: HTMLElement }): () => void {
    const widget = new Widget(model, el);
    return () => widget.destroy();
  },
};

class Widget {
  private readonly box = document.createElement("div");
  private readonly note = document.createElement("p");
  private readonly viewer: SlideViewer;
  private readonly stop: (() => void)[] = [];
  private readonly hidden: HTMLStyleElement;
  private ready = false;
  private longSilence: ReturnType<typeof setTimeout> | undefined;
  /**
   * Whether the view moves by itself or because the model did, and not because somebody touched
   * it: then it has nothing new to tell, and would only overwrite what Python says meanwhile.
   */
  private led = true;

  constructor(
    private readonly model: Model,
    el: HTMLElement,
  ) {
    this.box.className = "wsiweb-widget";
    this.note.className = "wsiweb-widget-note";
    this.note.setAttribute("role", "status");
    this.note.hidden = true;
    el.append(this.box);
    this.hidden = hideStill(model.get("_name"));
    this.resize();
    const source = new ChannelSource(model, { onSilence: (silent) => this.silence(silent) });
    this.viewer = new SlideViewer(this.box, source, {
      view: this.place(),
      panel: false,
      overlays: model.get("_overlays"),
      wheel: "focused",
    });
    this.box.append(this.note);
    this.follow();
    this.viewer.ready.then(
      () => this.begin(),
      () => this.hidden.remove(), // the viewer itself says what went wrong
    );
  }

  destroy(): void {
    clearTimeout(this.longSilence);
    for (const stop of this.stop) stop();
    this.hidden.remove();
    this.viewer.destroy();
    this.box.remove();
  }

  private begin(): void {
    this.ready = true;
    this.silence(false);
    // Only asked for: Python may have said meanwhile where to look, and that holds.
    if (this.model.get("x") === null) this.model.send({ begin: this.viewer.view });
    else this.lead(); // it may have moved meanwhile
    this.stop.push(this.viewer.onView((view) => this.tell(view)));
    const observer = new ResizeObserver(() => this.tellScreen());
    observer.observe(this.box);
    this.stop.push(() => observer.disconnect());
  }

  /** Listen to the model, and to whoever touches the slide. */
  private follow(): void {
    const { model } = this;
    const lead = (): void => this.lead();
    for (const key of PLACE) model.on(`change:${key}`, lead);
    const resize = (): void => this.resize();
    model.on("change:height", resize);
    const touched = (): void => {
      this.led = false;
    };
    for (const kind of TOUCHES) {
      this.box.addEventListener(kind, touched, { capture: true, passive: true });
    }
    this.stop.push(() => {
      for (const key of PLACE) model.off(`change:${key}`, lead);
      model.off("change:height", resize);
    });
  }

  /** Go where the model says; changes of x and y come one after the other. */
  private lead(): void {
    queueMicrotask(() => {
      const place = this.place();
      const { view } = this.viewer;
      if (PLACE.every((key) => place[key] === undefined || place[key] === view[key])) return;
      this.led = true;
      this.viewer.goto(place);
    });
  }

  private place(): Partial<View> {
    const said = PLACE.map((key) => [key, this.model.get(key)] as const);
    return Object.fromEntries(said.filter(([, value]) => value !== null));
  }

  private tell(view: View): void {
    if (this.led) return;
    for (const key of PLACE) this.model.set(key, view[key]);
    this.model.save_changes();
  }

  private tellScreen(): void {
    const { clientWidth, clientHeight } = this.box;
    if (clientWidth === 0 || clientHeight === 0) return; // in a hidden tab
    const [width, height] = this.model.get("_screen");
    if (width === clientWidth && height === clientHeight) return;
    this.model.set("_screen", [clientWidth, clientHeight]);
    this.model.save_changes();
  }

  private resize(): void {
    this.box.style.setProperty("--wsiweb-widget-height", `${this.model.get("height")}px`);
  }

  private silence(silent: boolean): void {
    this.note.hidden = !silent;
    this.note.textContent = this.ready ? BUSY : WAITING;
    clearTimeout(this.longSilence);
    if (silent && this.ready) {
      const more = (): void => this.note.append(` ${RESTARTED}`);
      this.longSilence = setTimeout(more, LONG);
    }
    this.box.toggleAttribute("data-waiting", silent && !this.ready);
    if (silent && !this.ready) this.hidden.remove();
    else document.head.append(this.hidden);
  }
}

/** Hide the picture that stands for the widget where there is none; removing this shows it again. */
function hideStill(name: string): HTMLStyleElement {
  const style = document.createElement("style");
  style.textContent = `.wsiweb-still-${CSS.escape(name)} { display: none; }`;
  document.head.append(style);
  return style;
}
