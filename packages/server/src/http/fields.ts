/**
 * Fields that requests have in common, as schemas: ids, 64-bit numbers, fences and pages. What a pattern lets through is
 * valid further on: nothing behind a schema refuses a value for its form. The `title` completes "must be …".
 *
 * 64- and 128-bit values are text in every answer. In requests small ones may be numbers too, because a ttl is one to
 * people; a number that JSON readers would round is refused.
 */
import {type TOptional, type TSchema, type TString, type TUnsafe, Type} from 'typebox';

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const EXAMPLE_ID = '018f6c1e00007000800000000000002a';

/**
 * A pattern of the decimal numbers from 0 to `max`, without leading zeros: those with fewer digits, and for each digit of
 * `max` those that are smaller there for the first time.
 */
export function decimalPattern(max: bigint): string {
  const digits = String(max);
  const smaller = [...digits].flatMap((digit, i) => {
    const least = i === 0 ? 1 : 0;
    if (Number(digit) <= least) return [];
    const left = digits.length - i - 1;
    return [`${digits.slice(0, i)}[${least}-${Number(digit) - 1}]${left === 0 ? '' : `[0-9]{${left}}`}`];
  });
  const shorter = digits.length > 1 ? [`[1-9][0-9]{0,${digits.length - 2}}`] : [];
  return `^(?:0|${[...shorter, ...smaller, digits].join('|')})$`;
}

const U64_PATTERN = decimalPattern(U64_MAX);
const ID_PATTERN = '^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$';

/** A 128-bit id as clients may write it. */
export function idField(description: string, example: string = EXAMPLE_ID): TString {
  return Type.String({title: 'a UUID or 32 hex digits', description, pattern: ID_PATTERN, examples: [example]});
}

/** A 128-bit id as it is answered. */
export function idAnswer(description: string, example: string = EXAMPLE_ID): TString {
  return Type.String({description, pattern: '^[0-9a-f]{32}$', examples: [example]});
}

/** An unsigned 64-bit number as text, in queries and answers. */
export function u64Text(description: string, example: string): TString {
  return Type.String({title: 'an unsigned 64-bit number', description, pattern: U64_PATTERN, examples: [example]});
}

/** The same or null, in answers. */
export function u64TextOrNull(description: string, example: string): TUnsafe<string | null> {
  return Type.Unsafe({type: ['string', 'null'], description, pattern: U64_PATTERN, examples: [example, null]});
}

/** An unsigned 64-bit number of a body: text, or a number that JSON carries exactly. */
export function u64Field(description: string, example: number): TUnsafe<string | number> {
  return Type.Unsafe({
    title: `an unsigned 64-bit number, as text above ${Number.MAX_SAFE_INTEGER}`,
    description,
    type: ['integer', 'string'],
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    pattern: U64_PATTERN,
    examples: [example, String(example)],
  });
}

/** One of a closed set of names. */
export function nameField<const Names extends readonly string[]>(
  names: Names,
  description: string,
): TUnsafe<Names[number]> {
  return Type.Unsafe({title: `one of ${names.join(', ')}`, description, type: 'string', enum: names});
}

/** Query of a read: what it must at least reflect. */
export const requiredLsn: TOptional<TString> = Type.Optional(
  u64Text('The answer must reflect at least this lsn, or is `fence_not_applied`. Left out or 0: no fence.', '12'),
);

const LIMIT_MAX = 1000;

/** Query of a page: how many entries at most. */
export const limit: TOptional<TString> = Type.Optional(
  Type.String({
    title: `a number from 1 to ${LIMIT_MAX}`,
    description: 'Most entries on the page. A page may have fewer and not be the last one: `next` tells.',
    pattern: decimalPattern(BigInt(LIMIT_MAX)).replace('0|', ''),
    examples: ['100'],
  }),
);

/** Query of a page: where it begins. */
export const position: TOptional<TString> = Type.Optional(
  u64Text('Where the page begins: `next` of the page before. Left out: at the beginning.', '1000'),
);

/** Headers of a command. */
export const commandHeaders: TSchema & {readonly properties: Record<string, TSchema>} = Type.Object({
  'Idempotency-Key': Type.Optional(idempotencyKey('')),
});

/** What makes a command happen once. */
export function idempotencyKey(more: string): TString {
  return Type.String({
    title: '1 to 256 visible ASCII characters',
    description:
      'Names one intent, so that it happens once however often it is sent. A UUID or 32 hex digits is the operation id ' +
      `itself; of any other text it is derived, the same every time. Left out: a fresh one.${more}`,
    pattern: '^[!-~]{1,256}$',
    examples: ['order-4711/reserve'],
  });
}

/** The number that a field of a body is. */
export function u64Of(value: string | number): bigint {
  return BigInt(value);
}
