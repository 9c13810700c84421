/**
 * What the validator says about a request, in words for whoever wrote the request: which field, as a JSON pointer, and what
 * it must be. Schemas say the latter in their `title`; what has none is told in the validator's own words.
 */
import type {FastifySchemaValidationError} from 'fastify';
import type {FieldError} from './problem.ts';

/** A part of the request by the framework's name for it. */
const PARTS: Readonly<Record<string, FieldError['in']>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'header',
};

/** With the schemas that were broken, which the validator adds when it is told to. */
interface VerboseError extends FastifySchemaValidationError {
  readonly schema?: unknown;
  readonly parentSchema?: {readonly title?: unknown};
}

/** The one error to tell of those that the validator found: the last one is about the whole that the others are parts of. */
export function fieldErrorOf(errors: readonly FastifySchemaValidationError[], part: string | undefined): FieldError {
  const where = PARTS[part ?? ''] ?? 'body';
  const error: VerboseError | undefined = errors[errors.length - 1];
  if (error === undefined) return {in: where, pointer: '', detail: 'is not valid'};
  const {instancePath, keyword, params} = error;
  switch (keyword) {
    case 'required':
      return {in: where, pointer: `${instancePath}/${escaped(params['missingProperty'])}`, detail: 'is required'};
    case 'additionalProperties':
      return {
        in: where,
        pointer: `${instancePath}/${escaped(params['additionalProperty'])}`,
        detail: 'is not known here',
      };
    case 'discriminator': {
      const tag = escaped(params['tag']);
      return {in: where, pointer: `${instancePath}/${tag}`, detail: `is no ${tag} that is known`};
    }
    case 'oneOf':
      return {in: where, pointer: instancePath, detail: `must have exactly one of ${alternatives(error.schema)}`};
    default:
      return {in: where, pointer: instancePath, detail: expectation(error)};
  }
}

function expectation({parentSchema, message}: VerboseError): string {
  const title = parentSchema?.title;
  return typeof title === 'string' ? `must be ${title}` : (message ?? 'is not valid');
}

/** Names of the fields of which one must be there, out of schemas that each require one. */
function alternatives(schema: unknown): string {
  const schemas = Array.isArray(schema) ? (schema as {readonly required?: readonly string[]}[]) : [];
  return schemas.flatMap(({required}) => required ?? []).join(', ');
}

const NAME_LENGTH_MAX = 64;

/** A part of a JSON pointer; what a client made up is cut. */
function escaped(name: unknown): string {
  return String(name).slice(0, NAME_LENGTH_MAX).replaceAll('~', '~0').replaceAll('/', '~1');
}
