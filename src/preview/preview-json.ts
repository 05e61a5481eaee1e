import { gains, gainsPrivileged, isShutOut, loses, type Preview, type PreviewPerson } from './outcome.ts';

/** `preview --json`. Members are stable; more may be added. What is not there is null. */
export interface PreviewJson {
  readonly since: string | null;
  readonly looked: number;
  readonly summary: Preview['summary'];
  readonly people: readonly PreviewPersonJson[];
  readonly notes: readonly string[];
}

interface PreviewPersonJson {
  readonly person: string;
  readonly name: string;
  readonly email: string | null;
  readonly origins: readonly string[];
  readonly gains: boolean;
  readonly loses: boolean;
  readonly shutOut: boolean;
  readonly privileged: boolean;
  /** Why the person is not let in anywhere any more. */
  readonly out: { readonly code: string; readonly message: string | null; readonly rule: string | null } | null;
  readonly letIn: boolean;
  readonly changes: readonly Record<string, unknown>[];
}

export function previewJson({ since, looked, summary, people, notes }: Preview): PreviewJson {
  return { since: since?.toISOString() ?? null, looked, summary, people: people.map(personJson), notes };
}

function personJson(one: PreviewPerson): PreviewPersonJson {
  const { person, name, email, origins, shutOut, letIn, changes } = one;
  return {
    person,
    name,
    email: email ?? null,
    origins,
    gains: gains(one),
    loses: loses(one),
    shutOut: isShutOut(one),
    privileged: gainsPrivileged(one),
    out:
      shutOut === undefined
        ? null
        : { code: shutOut.code, message: shutOut.message ?? null, rule: shutOut.rule ?? null },
    letIn,
    changes: changes.map(({ op, target, entitlement, privileged, before, after, code, fields }) => ({
      op,
      target,
      entitlement: entitlement ?? null,
      privileged,
      before,
      after,
      code: code ?? null,
      fields: fields ?? null,
    })),
  };
}
