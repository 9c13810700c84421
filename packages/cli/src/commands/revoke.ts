/**
 * `allocdb revoke`: begins to take a confirmed reservation away from its holder, whose epoch is stale from then on. Its
 * resources are free only after a reclaim, which belongs behind the proof that the holder is kept out.
 */
import type {Command} from 'commander';
import {registerOperatorCommand} from '../reservation_command.ts';
import type {Session} from '../session.ts';

export function register(program: Command, session: Session): void {
  registerOperatorCommand(program, session, {
    name: 'revoke',
    description: 'begin to take a confirmed reservation away from its holder; reclaim ends it',
    yes: 'revoking',
    examples: ['', '--timeout 30s --json'],
    call: (client, input, options) => client.revoke(input, options),
  });
}
