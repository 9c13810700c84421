/**
 * `allocdb confirm`: makes a hold permanent, by its holder. What the checks are, and in which order, is in
 * docs/semantics.md; how the command reads its flags and prints is in reservation_command.ts.
 */
import type {Command} from 'commander';
import {registerHolderCommand} from '../reservation_command.ts';
import type {Session} from '../session.ts';

export function register(program: Command, session: Session): void {
  registerHolderCommand(program, session, {
    name: 'confirm',
    description: 'make a hold permanent',
    yes: 'confirmed',
    examples: ['--holder name:order-4711', '--holder name:order-4711 --epoch 1 --json'],
    call: (client, input, options) => client.confirm(input, options),
  });
}
