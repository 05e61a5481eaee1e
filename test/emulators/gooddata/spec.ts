import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { projectRoot } from '../../services/project.ts';

/** One exchange with a real organization, as it was recorded. */
export interface RecordedExchange {
  readonly path: string;
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
}

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The folder with a service's API description and recordings: in `$LATCHGATE_SHARED` or `../shared`; undefined when absent. */
export function contractFolder(service: string): string | undefined {
  const root = process.env['LATCHGATE_SHARED'] ?? join(projectRoot(), '..', 'shared');
  const folder = join(root, service);
  return existsSync(join(folder, 'openapi.json')) ? folder : undefined;
}

export function recordedExchanges(folder: string): RecordedExchange[] {
  return JSON.parse(readFileSync(join(folder, 'recorded.json'), 'utf8')).interactions;
}

/** Validates bodies against the API description; compiles a schema when it is first needed. */
export class Spec {
  private readonly openapi: OpenApi;
  private readonly ajv = new Ajv({ strict: false, allErrors: true });
  private readonly compiled = new Map<string, ValidateFunction>();

  constructor(folder: string) {
    this.openapi = JSON.parse(readFileSync(join(folder, 'openapi.json'), 'utf8'));
    // ajv-formats is CommonJS: its function is the default export's default under NodeNext.
    (formats as unknown as { default?: typeof formats.default } & typeof formats.default)(this.ajv);
    this.ajv.addSchema(this.openapi, 'spec');
  }

  /** Every operation: upper-case method and path template. */
  operations(): { readonly method: string; readonly template: string }[] {
    return Object.entries(this.openapi.paths).flatMap(([template, operations]) =>
      Object.keys(operations).map((method) => ({ method: method.toUpperCase(), template })),
    );
  }

  /** The path template a concrete path belongs to. @throws Error when the description has none */
  template(method: string, path: string): string {
    const segments = path.split('/');
    const found = Object.entries(this.openapi.paths).filter(([template, operations]) => {
      const pattern = template.split('/');
      const fits = pattern.every((segment, index) => segment.startsWith('{') || segment === segments[index]);
      return pattern.length === segments.length && fits && method.toLowerCase() in operations;
    });
    // `/entities/organization` and the like are written out; a literal path beats a template.
    const best = found.sort(([a], [b]) => a.split('{').length - b.split('{').length)[0];
    if (!best) throw new Error(`the API description has no ${method} ${path}`);
    return best[0];
  }

  /** What is wrong with a request body; empty when nothing is. */
  requestErrors(method: string, path: string, contentType: string | undefined, body: unknown): string[] {
    const template = this.template(method, path);
    const operation = this.operation(method, template);
    if (!operation.requestBody) return body === undefined ? [] : ['a body is not expected'];
    return this.errors(
      ['paths', template, method.toLowerCase(), 'requestBody'],
      operation.requestBody,
      contentType,
      body,
    );
  }

  /** What is wrong with an answer; empty when nothing is. */
  responseErrors(
    method: string,
    path: string,
    status: number,
    contentType: string | undefined,
    body: unknown,
  ): string[] {
    const template = this.template(method, path);
    const { responses } = this.operation(method, template);
    const key = String(status) in responses ? String(status) : status >= 400 ? 'default' : undefined;
    const response = key === undefined ? undefined : responses[key];
    if (key === undefined || !response) return [`status ${status} is not described`];
    const described = Object.keys(response.content ?? {}).length > 0;
    if (body === undefined) return described && status === 200 ? ['a body is missing'] : [];
    if (!described) return ['a body is not expected'];
    return this.errors(['paths', template, method.toLowerCase(), 'responses', key], response, contentType, body);
  }

  private operation(method: string, template: string): Operation {
    const operation = this.openapi.paths[template]?.[method.toLowerCase()];
    if (!operation) throw new Error(`the API description has no ${method} ${template}`);
    return operation;
  }

  private errors(
    at: readonly string[],
    holder: { readonly content?: Readonly<Record<string, unknown>> },
    contentType: string | undefined,
    body: unknown,
  ): string[] {
    const type = contentType?.split(';')[0] ?? '';
    if (!(type in (holder.content ?? {}))) return [`content type '${type}' is not described`];
    const pointer = [...at, 'content', type, 'schema'].map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'));
    const id = `spec#/${pointer.map(encodeURIComponent).join('/')}`;
    const validate = this.compiled.get(id) ?? this.ajv.compile({ $ref: id });
    this.compiled.set(id, validate);
    return validate(body) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
  }
}
