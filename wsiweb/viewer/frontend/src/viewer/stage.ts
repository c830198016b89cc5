/**
 * The ground on which a slide lies: OpenSeadragon, set up for slides, in the viewer's own units.
 *
 * All other rooms speak of `View` and of pixels of level 0; this one alone turns them into
 * OpenSeadragon's units (the width of the slide is 1).
 */

import OpenSeadragon from "openseadragon";
import type { Source } from "../source/source.ts";
import { WholePixelDrawer } from "./drawer.ts";
import type { Level, Manifest } from "./manifest.ts";
import { giveUpUnseen, isWanted } from "./requests.ts";
import { Retries } from "./retries.ts";
import { type Pyramid, PyramidTileSource } from "./tilesource.ts";
import { Signal } from "./signal.ts";
import { type Box, boxOf, type Size, type View, wholeSlide } from "./view.ts";

/** Memory that decoded tiles may take, in bytes; OpenSeadragon counts tiles. */
const CACHE = 256 * 2 ** 20;
/** How far one may zoom in: screen pixels for one pixel of level 0. */
const CLOSEST = 10;

/** OpenSeadragon reports each tile given up as an error; what matters is sent by `failed`. */
function quieten(): void {
  const quiet = (...words: unknown[]): void => console.debug(...words);
  const ours = { ...console, log: quiet, warn: quiet, error: quiet, assert: () => undefined };
  (OpenSeadragon as unknown as { console: unknown }).console = ours;
}

/**
 * Stand in for the style sheet that OpenSeadragon writes into the page, which a strict content
 * security policy refuses. It looks whether there is one; an element of that name which is none
 * (it belongs to no language) will do, and the rule itself is in `style.css`.
 */
function standIn(): void {
  const name = "data-openseadragon-mobile-css";
  if (document.querySelector(`style[${name}]`) !== null) return;
  const style = document.createElementNS(null, "style");
  style.setAttribute(name, "true");
  document.head.append(style);
}

export interface Place {
  /** Where the image lies, in pixels of level 0. */
  readonly box: Box;
  /** Images of a higher rank lie on those of a lower one. */
  readonly rank: number;
  readonly opacity: number;
  /** Whether coarse tiles come first: something to see at once, for a few requests more. */
  readonly coarseFirst: boolean;
}

export class Stage {
  readonly osd: OpenSeadragon.Viewer;
  /** Sent after each frame that was drawn. */
  readonly frame = new Signal<View>();
  /** A tile could not be had; the words say why. */
  readonly failed = new Signal<string>();
  private readonly ranks = new Map<OpenSeadragon.TiledImage, number>();
  private readonly retries = new Retries(() => this.look());

  constructor(
    readonly element: HTMLElement,
    private readonly slide: Manifest,
    private readonly source: Source,
  ) {
    quieten();
    standIn();
    this.osd = new OpenSeadragon.Viewer({
      element,
      drawer: WholePixelDrawer as unknown as OpenSeadragon.DrawerConstructor,
      showNavigationControl: false,
      showNavigator: false,
      keyboardNavEnabled: false,
      imageLoaderLimit: source.limit,
      maxTilesPerFrame: source.limit,
      timeout: source.patience,
      maxImageCacheCount: tilesInMemory(slide.levels),
      animationTime: 0.35,
      springStiffness: 9,
      visibilityRatio: 0.3,
      minZoomImageRatio: 0.5,
      // Below this a level is drawn too small to be worth its tiles: the next coarser one is taken.
      minPixelRatio: 0.6,
      maxZoomPixelRatio: CLOSEST,
      zoomPerScroll: 1.25,
      zoomPerDblClickDrag: 1.2,
      smoothTileEdgesMinZoom: Number.POSITIVE_INFINITY,
      preserveImageSizeOnResize: true,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true, pinchRotate: false },
      gestureSettingsPen: { clickToZoom: false, dblClickToZoom: true },
    });
    this.osd.addHandler("update-viewport", () => this.drawn());
    this.osd.addHandler("tile-load-failed", (event) => this.tileFailed(event));
  }

  get screen(): Size {
    const { clientWidth, clientHeight } = this.osd.canvas;
    return { width: Math.max(clientWidth, 1), height: Math.max(clientHeight, 1) };
  }

  /** Where one looks in this moment, in the midst of a movement too. */
  get view(): View {
    return this.viewOf(true);
  }

  /** Where the movement under way will end. */
  get goal(): View {
    return this.viewOf(false);
  }

  get seen(): Box {
    return boxOf(this.view, this.screen);
  }

  goto(view: Partial<View>, immediately = false): void {
    const { x, y, downsample } = { ...this.goal, ...view };
    const { viewport } = this.osd;
    viewport.zoomTo(this.slide.width / (downsample * this.screen.width), undefined, immediately);
    viewport.panTo(this.point(x, y), immediately);
    viewport.applyConstraints(immediately);
  }

  home(immediately = false): void {
    this.goto(wholeSlide(this.slide, this.screen), immediately);
  }

  zoomBy(factor: number): void {
    this.osd.viewport.zoomBy(factor);
    this.osd.viewport.applyConstraints();
  }

  /** Move by shares of the screen. */
  panBy(right: number, down: number): void {
    const seen = this.osd.viewport.getBounds(false);
    const by = new OpenSeadragon.Point(right * seen.width, down * seen.height);
    this.osd.viewport.panBy(by);
    this.osd.viewport.applyConstraints();
  }

  /** From a point of this element, in CSS pixels, to one of level 0. */
  toSlide(x: number, y: number): { x: number; y: number } {
    const { width, height } = this.screen;
    const view = this.view;
    return {
      x: view.x + (x - width / 2) * view.downsample,
      y: view.y + (y - height / 2) * view.downsample,
    };
  }

  /** Put a pyramid on the stage. */
  add(pyramid: Pyramid, place: Place): Promise<OpenSeadragon.TiledImage> {
    const tileSource = new PyramidTileSource(this.source, pyramid);
    return new Promise((resolve, reject) => {
      this.osd.addTiledImage({
        tileSource,
        x: place.box.x / this.slide.width,
        y: place.box.y / this.slide.width,
        width: place.box.width / this.slide.width,
        opacity: place.opacity,
        success: (event: unknown) => {
          const { item } = event as { item: OpenSeadragon.TiledImage };
          (item as unknown as { immediateRender: boolean }).immediateRender = !place.coarseFirst;
          this.ranks.set(item, place.rank);
          this.sort(item, place.rank);
          resolve(item);
        },
        error: reject,
      });
    });
  }

  remove(image: OpenSeadragon.TiledImage): void {
    this.ranks.delete(image);
    this.retries.forget(image);
    if (image.source instanceof PyramidTileSource) {
      for (const job of [...image.source.underway]) job.abort();
    }
    this.osd.world.removeItem(image);
  }

  /** Resolves once nothing moves and all that is in view has been drawn. */
  async settled(): Promise<void> {
    // What was just asked for is known to OpenSeadragon only a frame later: two calm ones count.
    for (let calm = 0; calm < 3; calm = this.loaded() && !this.moving() ? calm + 1 : 0) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }

  moving(): boolean {
    const [now, then] = [this.view, this.goal];
    const far = Math.hypot(now.x - then.x, now.y - then.y) > 0.01 * now.downsample;
    return far || Math.abs(now.downsample / then.downsample - 1) > 1e-6;
  }

  destroy(): void {
    this.frame.clear();
    this.failed.clear();
    this.retries.destroy();
    for (const image of [...this.ranks.keys()]) this.remove(image);
    this.osd.destroy();
  }

  /** Whether all that is to be seen is here; hidden images do not count, and do not load. */
  private loaded(): boolean {
    const shown = [...this.ranks.keys()].filter((image) => image.getOpacity() > 0);
    return shown.every((image) => image.getFullyLoaded()) && !this.waits();
  }

  /** Whether a tile in view failed and is to be asked for again. */
  private waits(): boolean {
    const bounds = this.osd.viewport.getBounds(false);
    return [...this.retries.waiting].some(([tile, image]) => isWanted(image, tile, bounds));
  }

  private point(x: number, y: number): OpenSeadragon.Point {
    return new OpenSeadragon.Point(x / this.slide.width, y / this.slide.width);
  }

  private viewOf(current: boolean): View {
    const { viewport } = this.osd;
    const middle = viewport.getCenter(current);
    return {
      x: middle.x * this.slide.width,
      y: middle.y * this.slide.width,
      downsample: this.slide.width / (viewport.getZoom(current) * this.screen.width),
    };
  }

  private sort(item: OpenSeadragon.TiledImage, rank: number): void {
    const { world } = this.osd;
    let index = 0;
    for (let i = 0; i < world.getItemCount(); i++) {
      const other = world.getItemAt(i);
      if (other !== item && (this.ranks.get(other) ?? 0) <= rank) index += 1;
    }
    world.setItemIndex(item, index);
  }

  private drawn(): void {
    const bounds = this.osd.viewport.getBounds(false);
    for (const image of this.ranks.keys()) giveUpUnseen(image, bounds);
    this.frame.send(this.view);
  }

  private tileFailed(event: OpenSeadragon.TileLoadFailedEvent): void {
    if (event.message === "Image load aborted.") return;
    const { tile, tiledImage: image } = event;
    this.failed.send(event.message);
    if (tile === null || image === null) return;
    if (image.source instanceof PyramidTileSource) image.source.letGo(tile);
    this.retries.failed(tile, image);
  }

  /** Look again at what is in view: what is missing is asked for. */
  private look(): void {
    // `redraw` draws what is here; only an image that is not fully loaded looks for what is not.
    for (const image of this.ranks.keys()) {
      (image as unknown as { _fullyLoaded: boolean })._fullyLoaded = false;
    }
    this.osd.forceRedraw();
  }
}

function tilesInMemory(levels: readonly Level[]): number {
  const finest = levels[0];
  const bytes = finest === undefined ? 2 ** 18 : finest.tileWidth * finest.tileHeight * 4;
  return Math.min(Math.max(Math.round(CACHE / bytes), 64), 1500);
}
