/**
 * Bodies, queries and paths out of the schemas of the OpenAPI document: what a schema allows, and that with something wrong
 * with it. Ids come from a few that a test knows, so that commands meet what others have made.
 */
import fc from 'fast-check';
import type {Part} from './openapi_document.ts';

const ID_LENGTH = 32;
/** Numbers that a database allows, for the most part. */
const SMALL_MAX = 1000;

/** Values that a schema allows, mostly; combinations that it forbids are drawn too. */
export function valuesOf(schema: unknown, ids: readonly string[]): fc.Arbitrary<unknown> {
  const part = schema as Part;
  if (Array.isArray(part['oneOf']) && part['properties'] === undefined) {
    return fc.oneof(...part['oneOf'].map(each => valuesOf(each, ids)));
  }
  if (part['const'] !== undefined) return fc.constant(part['const']);
  if (Array.isArray(part['enum'])) return fc.constantFrom(...(part['enum'] as unknown[]));
  const types = [part['type']].flat();
  return fc.oneof(...types.map(type => valueOfType(String(type), part, ids)));
}

function valueOfType(type: string, part: Part, ids: readonly string[]): fc.Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return textOf(part, ids);
    case 'integer':
      return often(fc.integer({min: 0, max: SMALL_MAX}), fc.integer({min: 0, max: Number(part['maximum'])}));
    case 'array': {
      const {minItems = 0} = part as {minItems?: number};
      return fc.array(valuesOf(part['items'], ids), {minLength: minItems, maxLength: minItems + 5});
    }
    case 'object':
      return objectOf(part, ids);
    default:
      throw new Error(`no values of type ${type}`);
  }
}

/** By pattern: a document has few, and to make one costs more than what is drawn from it. */
const matchings = new Map<string, fc.Arbitrary<string>>();

function textOf({pattern}: {pattern?: string}, ids: readonly string[]): fc.Arbitrary<string> {
  if (pattern === undefined) return fc.string();
  const form = new RegExp(pattern);
  const matching = matchings.get(pattern) ?? fc.stringMatching(form);
  matchings.set(pattern, matching);
  if (form.test('0'.repeat(ID_LENGTH)) && !form.test('0')) return often(fc.constantFrom(...ids), matching);
  return form.test('0') ? often(fc.nat({max: SMALL_MAX}).map(String), matching) : matching;
}

/** Mostly the first, now and then the other. */
function often<Value>(first: fc.Arbitrary<Value>, other: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  return fc.oneof({weight: 9, arbitrary: first}, {weight: 1, arbitrary: other});
}

interface ObjectSchema {
  readonly properties?: Part;
  readonly required?: readonly string[];
  readonly allOf?: readonly {readonly oneOf?: readonly {readonly required: readonly string[]}[]}[];
}

/** Fields that are not required are there or not; of those that exclude each other one is, mostly. */
function objectOf({properties = {}, required = [], allOf = []}: ObjectSchema, ids: readonly string[]) {
  const fields = Object.entries(properties).map(([name, schema]) => {
    const value = valuesOf(schema, ids);
    return [name, required.includes(name) ? value : fc.option(value, {nil: undefined, freq: 4})] as const;
  });
  const choices = allOf.map(({oneOf = []}) => oneOf.map(each => each.required[0] ?? ''));
  const chosen = fc.tuple(...choices.map(names => often(fc.constantFrom(...names), fc.constant(''))));
  return fc.tuple(fc.record(Object.fromEntries(fields)), chosen).map(([value, names]) => {
    const left = choices.flatMap((choice, i) => (names[i] === '' ? [] : choice.filter(name => name !== names[i])));
    const there = Object.entries(value).filter(([name, each]) => each !== undefined && !left.includes(name));
    return Object.fromEntries(there);
  });
}

/** What to do to a body. */
type Change = (body: unknown) => unknown;

/** Something wrong, somewhere in a body. */
export const CHANGES: fc.Arbitrary<Change> = fc.oneof(
  fc.jsonValue().map(
    (value): Change =>
      () =>
        value,
  ),
  fc.tuple(fc.nat(), fc.jsonValue()).map(
    ([at, value]): Change =>
      body =>
        withField(body, at, () => value),
  ),
  fc.nat().map(
    (at): Change =>
      body =>
        withField(body, at, () => undefined),
  ),
  fc.tuple(fc.string(), fc.jsonValue()).map(
    ([name, value]): Change =>
      body => ({...(body as object), [name]: value}),
  ),
  fc.tuple(fc.nat(), fc.string()).map(
    ([at, text]): Change =>
      body =>
        withField(body, at, value => `${String(value)}${text}`),
  ),
);

/** The same value with one field of it, or of what is in it, put otherwise; undefined leaves the field out. */
function withField(body: unknown, at: number, put: (value: unknown) => unknown): unknown {
  if (Array.isArray(body)) {
    if (body.length === 0) return body;
    const index = at % body.length;
    return body.map((each, i) => (i === index ? withField(each, Math.floor(at / body.length), put) : each));
  }
  if (typeof body !== 'object' || body === null) return put(body);
  const names = Object.keys(body);
  const name = names[at % names.length];
  if (name === undefined) return body;
  const value = (body as Part)[name];
  const isDeep = typeof value === 'object' && value !== null && at % 3 === 0;
  return {...body, [name]: isDeep ? withField(value, Math.floor(at / 3), put) : put(value)};
}
