/**
 * The map: a square for each resource, in the order of creation, a hundred thousand and more of them. The states are
 * painted once, a pixel each, into a picture that is not shown; what is seen is a part of it, enlarged. Wheel and keys
 * zoom, dragging moves, a click or Enter chooses.
 */
import {colour} from './theme.ts';

/** Names of the states by their number. */
export const STATES = ['', 'available', 'reserved', 'confirmed', 'revoking'] as const;

const ZOOM_STEP = 1.5;
const ZOOM_MAX = 64;
/** From this size of a square on there is a gap between squares. */
const GAP_FROM = 5;
const DRAG_FROM = 4;

/** What happens on the map. */
export interface MapEvents {
  /** The cursor stands on this resource now. */
  onCursor(position: number): void;
  /** It was chosen. */
  onOpen(position: number): void;
}

export class MapView {
  readonly #canvas: HTMLCanvasElement;
  readonly #events: MapEvents;
  readonly #picture: HTMLCanvasElement = document.createElement('canvas');
  #states: Uint8Array = new Uint8Array(0);
  #columns = 1;
  /** Pixels of the screen for a square, when everything is seen. */
  #fit = 1;
  #zoom = 1;
  /** The square in the middle of the screen, as a place in the picture. */
  #middle = {x: 0, y: 0};
  #cursor = 0;
  #isDrawing = false;

  constructor(canvas: HTMLCanvasElement, events: MapEvents) {
    this.#canvas = canvas;
    this.#events = events;
    new ResizeObserver(() => this.#layOut()).observe(canvas);
    canvas.addEventListener('wheel', event => this.#onWheel(event), {passive: false});
    canvas.addEventListener('pointerdown', event => this.#onPointer(event));
    canvas.addEventListener('keydown', event => this.#onKey(event));
    canvas.addEventListener('focus', () => this.draw());
    canvas.addEventListener('blur', () => this.draw());
  }

  /** Shows these states from now on. */
  show(states: Uint8Array): void {
    const hasGrown = states.length !== this.#states.length;
    this.#states = states;
    if (hasGrown) this.#layOut();
    else this.#paint();
  }

  /** Paints anew, with the colours of the theme as it is now. */
  restyle(): void {
    this.#paint();
  }

  zoomBy(steps: number): void {
    this.#zoomTo(this.#zoom * ZOOM_STEP ** steps);
  }

  /** Shows everything. */
  fit(): void {
    this.#middle = {x: this.#columns / 2, y: this.#rows / 2};
    this.#zoomTo(1);
  }

  /** Draws with the next frame of the screen. */
  draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#drawNow();
    });
  }

  get #rows(): number {
    return Math.max(1, Math.ceil(this.#states.length / this.#columns));
  }

  /** Pixels of the screen for a square. */
  get #size(): number {
    return this.#fit * this.#zoom;
  }

  /** As many columns as make the squares largest; where it is enlarged, what was in the middle stays there. */
  #layOut(): void {
    const middle = Math.floor(this.#middle.y) * this.#columns + Math.floor(this.#middle.x);
    const {clientWidth: width, clientHeight: height} = this.#canvas;
    const scale = devicePixelRatio;
    this.#canvas.width = Math.max(1, Math.round(width * scale));
    this.#canvas.height = Math.max(1, Math.round(height * scale));
    const {length} = this.#states;
    this.#columns = Math.max(1, Math.ceil(Math.sqrt((length * this.#canvas.width) / this.#canvas.height)));
    this.#fit = Math.min(this.#canvas.width / this.#columns, this.#canvas.height / this.#rows);
    const place = {x: (middle % this.#columns) + 0.5, y: Math.floor(middle / this.#columns) + 0.5};
    this.#middle = this.#zoom === 1 ? {x: this.#columns / 2, y: this.#rows / 2} : place;
    this.#keepInside();
    this.#paint();
  }

  #paint(): void {
    const picture = this.#picture;
    picture.width = this.#columns;
    picture.height = this.#rows;
    const context = picture.getContext('2d');
    if (context === null) return;
    const palette = STATES.map(name => wordOf(name === '' ? '#00000000' : colour(name)));
    const image = context.createImageData(picture.width, picture.height);
    const words = new Uint32Array(image.data.buffer);
    this.#states.forEach((state, i) => {
      words[i] = palette[state] ?? 0;
    });
    context.putImageData(image, 0, 0);
    this.draw();
  }

  #drawNow(): void {
    const {width, height} = this.#canvas;
    const context = this.#canvas.getContext('2d');
    if (context === null) return;
    context.clearRect(0, 0, width, height);
    if (this.#states.length === 0) return;
    const size = this.#size;
    const [left, top] = this.#corner();
    context.imageSmoothingEnabled = size < 1;
    context.drawImage(this.#picture, left, top, this.#columns * size, this.#rows * size);
    if (size >= GAP_FROM) this.#drawGaps(context, left, top, size);
    if (document.activeElement === this.#canvas) this.#drawCursor(context, left, top, size);
  }

  #drawGaps(context: CanvasRenderingContext2D, left: number, top: number, size: number): void {
    const {width, height} = this.#canvas;
    context.strokeStyle = colour('panel');
    context.beginPath();
    for (let x = left; x <= width; x += size) if (x >= 0) line(context, x, 0, x, height);
    for (let y = top; y <= height; y += size) if (y >= 0) line(context, 0, y, width, y);
    context.stroke();
  }

  #drawCursor(context: CanvasRenderingContext2D, left: number, top: number, size: number): void {
    const x = left + (this.#cursor % this.#columns) * size;
    const y = top + Math.floor(this.#cursor / this.#columns) * size;
    const shown = Math.max(size, 8);
    context.strokeStyle = colour('accent');
    context.lineWidth = 3;
    context.strokeRect(x - (shown - size) / 2, y - (shown - size) / 2, shown, shown);
    context.lineWidth = 1;
  }

  /** Where the picture's first corner lies on the screen. */
  #corner(): [left: number, top: number] {
    const size = this.#size;
    return [this.#canvas.width / 2 - this.#middle.x * size, this.#canvas.height / 2 - this.#middle.y * size];
  }

  #zoomTo(zoom: number): void {
    this.#zoom = Math.min(ZOOM_MAX, Math.max(1, zoom));
    this.#canvas.toggleAttribute('data-zoomed', this.#zoom > 1);
    this.#keepInside();
    this.draw();
  }

  /** Nothing is shown beside the picture where there is more of it than fits; what fits as a whole is in the middle. */
  #keepInside(): void {
    const inside = (place: number, squares: number, pixels: number): number => {
      const half = pixels / 2 / this.#size;
      return squares <= 2 * half ? squares / 2 : Math.min(squares - half, Math.max(half, place));
    };
    const {x, y} = this.#middle;
    const {width, height} = this.#canvas;
    this.#middle = {x: inside(x, this.#columns, width), y: inside(y, this.#rows, height)};
  }

  #onWheel(event: WheelEvent): void {
    event.preventDefault();
    const before = this.#placeOf(event);
    this.#zoomTo(this.#zoom * ZOOM_STEP ** -Math.sign(event.deltaY));
    const after = this.#placeOf(event);
    this.#middle = {x: this.#middle.x + before.x - after.x, y: this.#middle.y + before.y - after.y};
    this.#keepInside();
    this.draw();
  }

  #onPointer(down: PointerEvent): void {
    this.#canvas.setPointerCapture(down.pointerId);
    const start = {...this.#middle};
    let isDrag = false;
    const move = (event: PointerEvent): void => {
      const [dx, dy] = [event.clientX - down.clientX, event.clientY - down.clientY];
      isDrag ||= Math.hypot(dx, dy) >= DRAG_FROM;
      if (!isDrag) return;
      const scale = devicePixelRatio / this.#size;
      this.#middle = {x: start.x - dx * scale, y: start.y - dy * scale};
      this.#keepInside();
      this.draw();
    };
    const up = (event: PointerEvent): void => {
      this.#canvas.removeEventListener('pointermove', move);
      this.#canvas.removeEventListener('pointerup', up);
      const position = this.#positionAt(this.#placeOf(event));
      if (isDrag || position === null) return;
      this.#moveTo(position);
      this.#events.onOpen(position);
    };
    this.#canvas.addEventListener('pointermove', move);
    this.#canvas.addEventListener('pointerup', up);
  }

  #onKey(event: KeyboardEvent): void {
    const steps: Readonly<Record<string, number>> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.#columns,
      ArrowDown: this.#columns,
      Home: -this.#cursor,
      End: this.#states.length - 1 - this.#cursor,
    };
    const step = steps[event.key];
    if (step !== undefined) this.#moveTo(this.#cursor + step);
    else if (event.key === 'Enter' && this.#cursor < this.#states.length) this.#events.onOpen(this.#cursor);
    else if (event.key === '+' || event.key === '=') this.#zoomAtCursor(1);
    else if (event.key === '-') this.#zoomAtCursor(-1);
    else if (event.key === '0') this.fit();
    else return;
    event.preventDefault();
  }

  #zoomAtCursor(steps: number): void {
    this.#middle = this.#placeOfCursor();
    this.zoomBy(steps);
  }

  #moveTo(position: number): void {
    if (this.#states.length === 0) return;
    this.#cursor = Math.min(this.#states.length - 1, Math.max(0, position));
    this.#reveal();
    this.#events.onCursor(this.#cursor);
    this.draw();
  }

  /** Moves the part that is seen so that the cursor is in it. */
  #reveal(): void {
    const size = this.#size;
    const [left, top] = this.#corner();
    const {x, y} = this.#placeOfCursor();
    const [screenX, screenY] = [left + x * size, top + y * size];
    if (screenX < 0 || screenX > this.#canvas.width) this.#middle = {...this.#middle, x};
    if (screenY < 0 || screenY > this.#canvas.height) this.#middle = {...this.#middle, y};
    this.#keepInside();
  }

  #placeOfCursor(): {x: number; y: number} {
    return {x: (this.#cursor % this.#columns) + 0.5, y: Math.floor(this.#cursor / this.#columns) + 0.5};
  }

  #placeOf({offsetX, offsetY}: MouseEvent): {x: number; y: number} {
    const [left, top] = this.#corner();
    return {x: (offsetX * devicePixelRatio - left) / this.#size, y: (offsetY * devicePixelRatio - top) / this.#size};
  }

  #positionAt({x, y}: {x: number; y: number}): number | null {
    if (x < 0 || y < 0 || x >= this.#columns) return null;
    const position = Math.floor(y) * this.#columns + Math.floor(x);
    return position < this.#states.length ? position : null;
  }
}

function line(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  context.moveTo(Math.round(x0), y0);
  context.lineTo(Math.round(x1), y1);
}

/** A colour of the form #rrggbb as a word of image data. */
function wordOf(hex: string): number {
  const [r = 0, g = 0, b = 0, a = 255] = (hex.slice(1).match(/../g) ?? []).map(pair => Number.parseInt(pair, 16));
  return new Uint32Array(Uint8Array.of(r, g, b, a).buffer)[0] ?? 0;
}
