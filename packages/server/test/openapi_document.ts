/**
 * OpenAPI 3.1 as tests need it: a document taken apart, checked against the fixed fields of the specification, its
 * references followed, and its schemas compiled. Written from the specification; nothing is fetched.
 */
import {Compile} from 'typebox/schema';

/** Any part of the document. */
export type Part = Readonly<Record<string, unknown>>;

/** An operation with where it stands. */
export interface Operation {
  readonly path: string;
  readonly method: string;
  readonly operation: Part;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** Fixed fields of each object, those that it must have first. */
const FIELDS: Readonly<Record<string, {readonly required: readonly string[]; readonly optional: readonly string[]}>> = {
  document: {
    required: ['openapi', 'info', 'paths'],
    optional: ['jsonSchemaDialect', 'servers', 'webhooks', 'components', 'security', 'tags', 'externalDocs'],
  },
  info: {
    required: ['title', 'version'],
    optional: ['summary', 'description', 'termsOfService', 'contact', 'license'],
  },
  pathItem: {required: [], optional: ['summary', 'description', 'servers', 'parameters', ...METHODS]},
  operation: {
    required: ['operationId', 'responses', 'summary', 'tags', 'security'],
    optional: ['description', 'externalDocs', 'parameters', 'requestBody', 'callbacks', 'deprecated', 'servers'],
  },
  parameter: {
    required: ['name', 'in', 'schema'],
    optional: ['description', 'required', 'deprecated', 'style', 'explode', 'allowReserved', 'example', 'examples'],
  },
  requestBody: {required: ['content'], optional: ['description', 'required']},
  response: {required: ['description'], optional: ['headers', 'content', 'links']},
  mediaType: {required: ['schema'], optional: ['example', 'examples', 'encoding']},
  header: {required: ['schema'], optional: ['description', 'required', 'example', 'examples']},
  components: {
    required: [],
    optional: ['schemas', 'responses', 'parameters', 'examples', 'requestBodies', 'headers', 'securitySchemes'],
  },
  bearer: {required: ['type', 'scheme'], optional: ['description', 'bearerFormat']},
  tag: {required: ['name'], optional: ['description', 'externalDocs']},
};

const SCHEMA_KEYWORDS: ReadonlySet<string> = new Set(
  `$ref type enum const title description default examples example deprecated readOnly writeOnly format
   properties required additionalProperties patternProperties propertyNames minProperties maxProperties
   items prefixItems minItems maxItems uniqueItems contains allOf anyOf oneOf not if then else
   minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern`.split(/\s+/),
);

export class OpenApiDocument {
  readonly root: Part;
  /** What is wrong with it, with where. */
  readonly issues: string[] = [];

  constructor(root: Part) {
    this.root = root;
    this.#check();
  }

  get operations(): Operation[] {
    return entries(this.root['paths']).flatMap(([path, item]) =>
      entries(item)
        .filter(([method]) => METHODS.includes(method))
        .map(([method, operation]) => ({path, method, operation: operation as Part})),
    );
  }

  /** What a reference leads to; throws where it leads nowhere. */
  resolve(reference: string): unknown {
    if (!reference.startsWith('#/')) throw new Error(`${reference} leads out of the document`);
    let found: unknown = this.root;
    for (const part of reference.slice(2).split('/')) {
      found = (found as Part | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')];
    }
    if (found === undefined) throw new Error(`${reference} leads nowhere`);
    return found;
  }

  /** A schema with everything in it that it refers to. */
  expanded(schema: unknown): unknown {
    if (Array.isArray(schema)) return schema.map(each => this.expanded(each));
    if (typeof schema !== 'object' || schema === null) return schema;
    const {$ref} = schema as {$ref?: string};
    if ($ref !== undefined) return this.expanded(this.resolve($ref));
    return Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, this.expanded(value)]));
  }

  /** True when a value is what a schema says. */
  isValid(schema: unknown, value: unknown): boolean {
    return Compile(this.expanded(schema) as object).Check(value);
  }

  /** Every example that stands somewhere, with the schema that it is one of. */
  get examples(): {readonly where: string; readonly schema: unknown; readonly value: unknown}[] {
    const found: {where: string; schema: unknown; value: unknown}[] = [];
    const visit = (where: string, part: unknown): void => {
      if (typeof part !== 'object' || part === null) return;
      const {schema, example, examples, type, $ref} = part as Part;
      if (schema !== undefined) {
        if (example !== undefined) found.push({where, schema, value: example});
        for (const [name, each] of entries(examples)) {
          found.push({where: `${where} ${name}`, schema, value: (each as Part)['value']});
        }
      } else if (Array.isArray(examples) && (type !== undefined || $ref !== undefined)) {
        for (const value of examples) found.push({where, schema: part, value});
      }
      for (const [name, each] of entries(part))
        if (name !== 'example' && name !== 'examples') visit(`${where}/${name}`, each);
    };
    visit('', this.root);
    return found;
  }

  #check(): void {
    const {root} = this;
    this.#fields('document', root, '');
    if (!/^3\.1\.\d+$/.test(String(root['openapi']))) this.issues.push('openapi is not 3.1');
    this.#fields('info', root['info'], 'info');
    for (const tag of list(root['tags'])) this.#fields('tag', tag, 'tags');
    const components = root['components'] as Part;
    this.#fields('components', components, 'components');
    for (const [name, schema] of entries(components['schemas'])) this.#schema(schema, `components/schemas/${name}`);
    for (const [name, each] of entries(components['responses'])) this.#response(each, `components/responses/${name}`);
    for (const [name, scheme] of entries(components['securitySchemes'])) this.#fields('bearer', scheme, name);
    for (const [path, item] of entries(root['paths'])) {
      if (!path.startsWith('/')) this.issues.push(`${path} does not begin with a slash`);
      this.#fields('pathItem', item, path);
    }
    const ids = this.operations.map(({operation}) => operation['operationId']);
    if (new Set(ids).size < ids.length) this.issues.push('an operationId stands twice');
    for (const operation of this.operations) this.#operation(operation);
  }

  #operation({path, method, operation}: Operation): void {
    const where = `${method} ${path}`;
    this.#fields('operation', operation, where);
    const parameters = list(operation['parameters']);
    for (const parameter of parameters) {
      this.#fields('parameter', parameter, where);
      this.#schema((parameter as Part)['schema'], `${where} ${String((parameter as Part)['name'])}`);
    }
    const named = parameters
      .filter(each => (each as Part)['in'] === 'path')
      .map(each => String((each as Part)['name']));
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(match => match[1]);
    if (named.join() !== inPath.join()) this.issues.push(`${where}: parameters of the path are ${named.join()}`);
    if (parameters.some(each => (each as Part)['in'] === 'path' && (each as Part)['required'] !== true)) {
      this.issues.push(`${where}: a parameter of the path is not required`);
    }
    const keys = parameters.map(each => `${String((each as Part)['in'])} ${String((each as Part)['name'])}`);
    if (new Set(keys).size < keys.length) this.issues.push(`${where}: a parameter stands twice`);
    const declared = list(this.root['tags']).map(tag => (tag as Part)['name']);
    for (const tag of list(operation['tags']))
      if (!declared.includes(tag)) this.issues.push(`${where}: tag ${String(tag)}`);
    const schemes = entries((this.root['components'] as Part)['securitySchemes']).map(([name]) => name);
    for (const need of list(operation['security'])) {
      for (const [name] of entries(need)) if (!schemes.includes(name)) this.issues.push(`${where}: security ${name}`);
    }
    const body = operation['requestBody'];
    if (body !== undefined) {
      this.#fields('requestBody', body, where);
      this.#content((body as Part)['content'], `${where} body`);
    }
    for (const [status, response] of entries(operation['responses'])) {
      if (!/^[1-5]\d\d$/.test(status)) this.issues.push(`${where}: status ${status}`);
      this.#response(response, `${where} ${status}`);
    }
  }

  #response(response: unknown, where: string): void {
    this.#fields('response', response, where);
    this.#content((response as Part)['content'], where);
    for (const [name, header] of entries((response as Part)['headers']))
      this.#fields('header', header, `${where} ${name}`);
  }

  #content(content: unknown, where: string): void {
    for (const [type, media] of entries(content)) {
      if (!/^[\w.+-]+\/[\w.+-]+$/.test(type)) this.issues.push(`${where}: media type ${type}`);
      this.#fields('mediaType', media, `${where} ${type}`);
      this.#schema((media as Part)['schema'], `${where} ${type}`);
    }
  }

  #schema(schema: unknown, where: string): void {
    if (typeof schema === 'boolean') return;
    for (const [keyword, value] of entries(schema)) {
      if (!SCHEMA_KEYWORDS.has(keyword)) this.issues.push(`${where}: ${keyword} is no keyword of a schema`);
      if (keyword === 'properties') for (const [name, each] of entries(value)) this.#schema(each, `${where}/${name}`);
      if (keyword === 'items' || keyword === 'additionalProperties') this.#schema(value, `${where}/${keyword}`);
      if (['allOf', 'anyOf', 'oneOf'].includes(keyword)) for (const each of list(value)) this.#schema(each, where);
      if (keyword === '$ref') {
        try {
          this.resolve(String(value));
        } catch (error) {
          this.issues.push(`${where}: ${(error as Error).message}`);
        }
      }
      if (keyword === 'pattern') new RegExp(String(value), 'u');
    }
  }

  #fields(kind: string, part: unknown, where: string): void {
    const {required, optional} = FIELDS[kind] as (typeof FIELDS)[string];
    const names = entries(part).map(([name]) => name);
    for (const name of required) if (!names.includes(name)) this.issues.push(`${where}: ${kind} has no ${name}`);
    for (const name of names) {
      if (!required.includes(name) && !optional.includes(name)) this.issues.push(`${where}: ${kind} has ${name}`);
    }
  }
}

/** Members of an object; none of anything else. */
export function entries(part: unknown): [string, unknown][] {
  return typeof part === 'object' && part !== null && !Array.isArray(part) ? Object.entries(part) : [];
}

function list(part: unknown): readonly unknown[] {
  return Array.isArray(part) ? part : [];
}
