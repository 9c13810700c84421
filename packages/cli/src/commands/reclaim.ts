/**
 * `allocdb reclaim`: ends a revocation: the resources are free again. It is said when whoever guards the thing itself
 * refuses the old holder, and not before.
 */
import type {Command} from 'commander';
import {registerOperatorCommand} from '../reservation_command.ts';
import type {Session} from '../session.ts';

export function register(program: Command, session: Session): void {
  registerOperatorCommand(program, session, {
    name: 'reclaim',
    description: 'end a revocation: its resources are free again',
    yes: 'reclaimed',
    examples: ['', '--timeout 30s --json'],
    call: (client, input, options) => client.reclaim(input, options),
  });
}
