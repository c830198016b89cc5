/**
 * The viewer: one slide in an element of a page or of a notebook.
 *
 * This class puts the rooms together and is what others hold; what each does is in the file of
 * its name: `stage.ts` (OpenSeadragon), `slideimages.ts`, `layers/`, `controls/`, `keyboard.ts`.
 */

import type { Source } from "../source/source.ts";
import { chrome, type Chrome } from "./chrome.ts";
import { Frame } from "./frame.ts";
import { LayerDisplay } from "./layers/display.ts";
import { Layers } from "./layers/layers.ts";
import type { LayerDescription, Manifest } from "./manifest.ts";
import { DEFAULTS, type Theme, type ViewerOptions } from "./options.ts";
import { Signal, throttled } from "./signal.ts";
import { type Colour, SlideImages } from "./slideimages.ts";
import { Stage } from "./stage.ts";
import { sameView, type View } from "./view.ts";

/** Those who listen to the view are told at most so often (ms) while it moves. */
const TOLD = 100;

/** What there is once the manifest is here. */
interface Opened {
  readonly slide: Manifest;
  readonly stage: Stage;
  readonly images: SlideImages;
  readonly display: LayerDisplay;
  readonly chrome: Chrome;
}

export class SlideViewer {
  /** Fulfilled once the slide can be seen and moved; rejected with words where it cannot. */
  readonly ready: Promise<void>;
  readonly layers: Layers;
  /** The element that the viewer made inside its parent. */
  readonly element: HTMLElement;
  private readonly options: ViewerOptions;
  private readonly frame: Frame;
  private readonly gone = new AbortController();
  private readonly views = new Signal<View>();
  private opened: Opened | null = null;
  private told: View | null = null;
  private wanted: Partial<View>;
  private readonly tell = throttled<View>(TOLD, (view) => this.tellView(view));

  constructor(
    parent: HTMLElement,
    private readonly source: Source,
    options: Partial<ViewerOptions> = {},
  ) {
    this.options = { ...DEFAULTS, ...options };
    this.wanted = this.options.view;
    this.layers = new Layers(this.options.overlays);
    this.frame = new Frame(parent, this.options.theme);
    this.element = this.frame.root;
    this.ready = this.open();
    // Said on the viewer itself; who does not wait for `ready` need not catch it.
    this.ready.catch(() => undefined);
  }

  /** Where one looks; before the slide is there, zeros. */
  get view(): View {
    return this.opened?.stage.view ?? { x: 0, y: 0, downsample: 1, ...this.wanted };
  }

  /** The slide in view; null before `ready`. */
  get slide(): Manifest | null {
    return this.opened?.slide ?? null;
  }

  /** Whether colours are as stored, or converted by the slide's ICC profile. */
  get colour(): Colour {
    return this.opened?.images.colour ?? "source";
  }

  /** Look somewhere else; what is left out stays. Before `ready`, where to begin. */
  goto(view: Partial<View>, immediately = false): void {
    this.wanted = { ...this.wanted, ...view };
    this.opened?.stage.goto(view, immediately);
  }

  home(): void {
    this.opened?.stage.home();
  }

  /** Be told of each view from now on, at most ten times a second; what is returned ends it. */
  onView(listener: (view: View) => void): () => void {
    return this.views.on(listener);
  }

  async setColour(colour: Colour): Promise<void> {
    await this.opened?.images.show(colour);
  }

  setTheme(theme: Theme): void {
    this.frame.setTheme(theme);
  }

  /** Ask the feed for layers again: results may have been stored since. */
  async refreshLayers(): Promise<void> {
    const found = await this.source.json<readonly LayerDescription[]>("layers", this.gone.signal);
    this.layers.take(found, true);
  }

  /** Resolves once nothing moves and all that is in view has been drawn. */
  async settled(): Promise<void> {
    await this.ready;
    await this.opened?.stage.settled();
  }

  /** Take the viewer off the page; its source is closed. */
  destroy(): void {
    this.gone.abort();
    this.tell.cancel();
    this.views.clear();
    this.layers.changed.clear();
    this.opened?.chrome.destroy();
    this.opened?.display.destroy();
    this.opened?.stage.destroy();
    this.opened = null;
    this.source.close();
    this.frame.root.remove();
  }

  private async open(): Promise<void> {
    const { signal } = this.gone;
    this.frame.root.setAttribute("aria-busy", "true");
    let slide: Manifest;
    try {
      slide = await this.source.json<Manifest>("manifest", signal);
      await this.frame.sized(signal);
    } catch (error) {
      if (!signal.aborted) this.frame.fail(error);
      throw error;
    }
    signal.throwIfAborted();
    this.opened = this.build(slide);
    await this.begin(this.opened);
    this.frame.root.removeAttribute("aria-busy");
  }

  private build(slide: Manifest): Opened {
    const { frame, source, layers, options } = this;
    const stage = new Stage(frame.slide, slide, source);
    const images = new SlideImages(stage, slide);
    const controls = chrome({
      frame,
      slide,
      stage,
      source,
      images,
      layers,
      options,
      signal: this.gone.signal,
    });
    const display = new LayerDisplay(stage, slide, source, layers, controls.say);
    return { slide, stage, images, display, chrome: controls };
  }

  private async begin({ slide, stage, images, chrome: controls }: Opened): Promise<void> {
    await images.show("source");
    stage.home(true);
    stage.goto(this.wanted, true);
    stage.frame.on((view) => this.tell(view));
    this.layers.take(slide.layers, slide.layersComplete);
    if (!slide.layersComplete) {
      this.refreshLayers().catch((error: unknown) => {
        if (!this.gone.signal.aborted) controls.layersFailed(error);
      });
    }
  }

  private tellView(view: View): void {
    if (this.told !== null && sameView(this.told, view)) return;
    this.told = view;
    this.views.send(view);
  }
}
