/**
 * The little that every part needs of the page: elements that must be there, and new ones made from text, never from markup.
 */

/** The element with this id, of this kind. Throws Error where the page has none. */
export function byId<T extends Element>(id: string, kind: abstract new (...args: never[]) => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${kind.name} with id ${id}`);
  return element;
}

type Attributes = Readonly<Record<string, string | ((event: Event) => void)>>;

/** A new element; functions become listeners, strings attributes. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Pairs of a description list. */
export function facts(pairs: readonly (readonly [string, Node | string])[]): HTMLElement[] {
  return pairs.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]);
}
