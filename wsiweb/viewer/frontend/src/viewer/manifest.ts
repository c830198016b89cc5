/**
 * A slide in the words of the viewer, as `wsiweb.viewer.manifest` writes them.
 *
 * Numbers are zero-based; level 0 is the finest; lengths are in pixels of level 0 unless said.
 */

export interface Level {
  readonly width: number;
  readonly height: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
}

/** One optical path: what a colour or a fluorescence channel is in DICOM. */
export interface Channel {
  readonly id: string;
  readonly name: string;
  readonly color: string | null;
  readonly kind: "color" | "gray";
}

export interface FocalPlane {
  readonly id: string;
  /** Above the first one; null where that is not known. */
  readonly micrometres: number | null;
}

/** One of a layer's things to switch: a segment, a group of annotations, a map. */
export interface PartDescription {
  readonly id: string;
  readonly name: string;
  readonly color: string;
  readonly count: number | null;
}

export interface Raster {
  readonly levels: readonly Level[];
  /** x, y, width and height in pixels of the slide's level 0. */
  readonly place: readonly [number, number, number, number];
  readonly fractional: boolean;
  /** What the values 0 and 255 of a tile stand for. */
  readonly range: readonly [number, number] | null;
  readonly unit: string;
}

export type LayerKind = "segmentation" | "annotations" | "heatmap" | "report";

export interface LayerDescription {
  readonly id: string;
  readonly kind: LayerKind;
  readonly title: string;
  readonly creator: string;
  /** As ISO 8601 says it, or empty. */
  readonly created: string;
  readonly parts: readonly PartDescription[];
  readonly raster: Raster | null;
  readonly shapes: boolean;
  /** Why it could not be read, in words; then it has no parts. Else empty. */
  readonly problem: string;
}

export interface Manifest {
  readonly title: string;
  readonly study: string;
  readonly series: string;
  readonly patient: string;
  readonly description: string;
  readonly container: string;
  readonly width: number;
  readonly height: number;
  /** Micrometres per pixel of level 0, along x and y. */
  readonly mpp: readonly [number, number] | null;
  readonly objective: number | null;
  readonly levels: readonly Level[];
  readonly channels: readonly Channel[];
  readonly focalPlanes: readonly FocalPlane[];
  readonly label: boolean;
  readonly overview: boolean;
  readonly icc: boolean;
  readonly toMillimetres: readonly number[] | null;
  readonly layers: readonly LayerDescription[];
  /** Whether `layers` is all; else the resource `layers` has them, later. */
  readonly layersComplete: boolean;
}
