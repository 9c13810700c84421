/**
 * Fields of the commands' bodies, as schemas: of a route's body and of a member of a batch, which may carry the same.
 */
import {WIRE_BUNDLE_MEMBERS_MAX} from '@allocdb/api';
import {type TArray, type TOptional, type TString, type TUnsafe, Type} from 'typebox';
import {idField, u64Field} from './fields.ts';

const RESOURCE_EXAMPLE = '018f6c1e00007000800000000000002a';
const HOLDER_EXAMPLE = '7f3c0000000000000000000000000001';

/** Of confirm and release. */
export const holderFields: {holder: TString; epoch: TOptional<TUnsafe<string | number>>} = {
  holder: idField('Whose reservation it is.', HOLDER_EXAMPLE),
  epoch: Type.Optional(u64Field('Its epoch as far as the holder knows; refused with `stale_epoch` if it is not.', 1)),
};

/** Of reserve; {@link RESERVE_CHOICES} says which of them go together. */
export const reserveFields: {
  resource: TOptional<TString>;
  resources: TOptional<TArray<TString>>;
  holder: TString;
  ttl_slots: TOptional<TUnsafe<string | number>>;
  ttl_ms: TOptional<TUnsafe<string | number>>;
} = {
  resource: Type.Optional(idField('What to hold.')),
  resources: Type.Optional(
    Type.Array(idField('A resource.'), {
      title: `1 to ${WIRE_BUNDLE_MEMBERS_MAX} ids`,
      description: 'What to hold together, all or none.',
      minItems: 1,
      maxItems: WIRE_BUNDLE_MEMBERS_MAX,
    }),
  ),
  holder: idField('For whom.', HOLDER_EXAMPLE),
  ttl_slots: Type.Optional(u64Field('For how many slots of the server.', 600)),
  ttl_ms: Type.Optional(
    u64Field('For at least so many milliseconds: as many whole slots, and one for the slot that had begun.', 60_000),
  ),
};

/** Either one resource or several, and the length of the hold in one of its units. */
export const RESERVE_CHOICES: {readonly allOf: readonly object[]; readonly examples: readonly object[]} = {
  allOf: [
    {oneOf: [{required: ['resource']}, {required: ['resources']}]},
    {oneOf: [{required: ['ttl_slots']}, {required: ['ttl_ms']}]},
  ],
  examples: [
    {resource: RESOURCE_EXAMPLE, holder: HOLDER_EXAMPLE, ttl_ms: 60_000},
    {resources: [RESOURCE_EXAMPLE, '018f6c1e00007000800000000000002b'], holder: HOLDER_EXAMPLE, ttl_slots: '600'},
  ],
};
