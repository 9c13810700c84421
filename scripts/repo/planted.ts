// The shape of a planted violation: a repository in a few strings, where its findings must be, and a clean neighbour that
// must pass. The cases are in planted_packages.suite.ts and planted_sources.suite.ts; check_repo.test.ts runs them.
// Kept apart from both so that neither imports the other.

export type Files = Readonly<Record<string, string>>;

export interface Case {
  readonly rule: string;
  readonly what: string;
  readonly bad: Files;
  /** Where findings are expected, as path:line, and nothing else. */
  readonly at: readonly string[];
  readonly clean: Files;
  /** Paths changed since the base; left out, there is no base. */
  readonly since?: readonly string[];
}
