/**
 * The slide itself: its optical paths and focal planes as images on the stage.
 *
 * Each channel in view is one image, in the focal plane chosen. Today's slides have one of each;
 * several channels will be tinted as layers are (`layers/raster.ts`) and added up with
 * `compositeOperation: "lighter"`, and choosing another plane is what `show` does for colour.
 */

import type OpenSeadragon from "openseadragon";
import type { Channel, Manifest } from "./manifest.ts";
import type { Stage } from "./stage.ts";
import type { Pyramid } from "./tilesource.ts";

/** "source" is as stored; "srgb" is converted by the slide's ICC profile. */
export type Colour = "source" | "srgb";

export class SlideImages {
  private shown: OpenSeadragon.TiledImage[] = [];
  private chosen: Colour = "source";
  private latest = new AbortController();
  /** Counts down: an image that is loading lies below what it will replace. */
  private rank = 0;

  constructor(
    private readonly stage: Stage,
    private readonly slide: Manifest,
  ) {}

  get colour(): Colour {
    return this.chosen;
  }

  /**
   * Show the slide in a colour; the former images stay until all of the new ones is there, so
   * that nothing blurs. Whoever asks for another colour meanwhile ends this, and these new images
   * go.
   */
  async show(colour: Colour): Promise<void> {
    this.chosen = colour;
    this.latest.abort();
    this.latest = new AbortController();
    const { signal } = this.latest;
    const channels = this.slide.channels.slice(0, 1);
    this.rank -= 1;
    const added = await Promise.all(channels.map((channel) => this.add(channel, colour)));
    if (this.shown.length > 0 && !signal.aborted) await loaded(added, signal);
    const unwanted = signal.aborted ? added : this.shown;
    if (!signal.aborted) this.shown = added;
    for (const image of unwanted) this.stage.remove(image);
  }

  private add(channel: Channel, colour: Colour): Promise<OpenSeadragon.TiledImage> {
    const { width, height } = this.slide;
    const box = { x: 0, y: 0, width, height };
    return this.stage.add(this.pyramid(channel, colour), {
      box,
      rank: this.rank,
      opacity: 1,
      coarseFirst: true,
    });
  }

  private pyramid(channel: Channel, colour: Colour): Pyramid {
    const plane = this.slide.focalPlanes[0]?.id ?? "0";
    const query = colour === "source" ? "" : "?color=srgb";
    return {
      levels: this.slide.levels,
      ground: this.slide,
      transparent: false,
      path: (level, column, row) =>
        `tiles/${channel.id}/${plane}/${level}/${column}/${row}${query}`,
    };
  }
}

/** Resolves once images are fully loaded, or when that is given up. */
async function loaded(
  images: readonly OpenSeadragon.TiledImage[],
  signal: AbortSignal,
): Promise<void> {
  const all = images.map(
    (image) => new Promise<void>((resolve) => image.whenFullyLoaded(resolve)),
  );
  const given = new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  await Promise.race([Promise.all(all), given]);
}
