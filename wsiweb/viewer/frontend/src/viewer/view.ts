/** Where one looks: the middle and the scale of what is on the screen. Pure arithmetic. */

export interface View {
  /** The middle of the screen, in pixels of level 0. */
  readonly x: number;
  readonly y: number;
  /** Pixels of level 0 for each (CSS) pixel of the screen: 1 is one to one, 4 is a quarter. */
  readonly downsample: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Box extends Size {
  readonly x: number;
  readonly y: number;
}

/** The view that shows a whole slide with a little air around it. */
export function wholeSlide(slide: Size, screen: Size): View {
  const fit = Math.max(slide.width / screen.width, slide.height / screen.height);
  return { x: slide.width / 2, y: slide.height / 2, downsample: fit * 1.04 };
}

/** What is on the screen, in pixels of level 0. */
export function boxOf(view: View, screen: Size): Box {
  const width = screen.width * view.downsample;
  const height = screen.height * view.downsample;
  return { x: view.x - width / 2, y: view.y - height / 2, width, height };
}

/** Whether two boxes have an area in common. */
export function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** Whether `outer` holds all of `inner`. */
export function holds(outer: Box, inner: Box): boolean {
  return (
    outer.x <= inner.x &&
    outer.y <= inner.y &&
    outer.x + outer.width >= inner.x + inner.width &&
    outer.y + outer.height >= inner.y + inner.height
  );
}

/** A box larger by a share of its own size on each side. */
export function grown(box: Box, share: number): Box {
  const dx = box.width * share;
  const dy = box.height * share;
  return { x: box.x - dx, y: box.y - dy, width: box.width + 2 * dx, height: box.height + 2 * dy };
}

/** What two boxes have in common; null where they do not meet. */
export function common(a: Box, b: Box): Box | null {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : null;
}

/** Whether a difference between views is one that a person could see. */
export function sameView(a: View, b: View): boolean {
  const tenth = 0.1 * Math.min(a.downsample, b.downsample);
  const scale = Math.abs(Math.log(a.downsample / b.downsample));
  return Math.abs(a.x - b.x) < tenth && Math.abs(a.y - b.y) < tenth && scale < 1e-4;
}
