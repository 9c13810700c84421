/**
 * The 128-bit fingerprint of a command: what decides whether a repeated operation id carries the same command.
 *
 * Definition: {@link Hash128} in the domain of the command's tag over the 32-bit words of the body fields in wire order;
 * a bundle's count is one word; the last block is filled with zeros. client_id and slot are not in it. A golden test
 * fixes the values, because they are stored.
 */
import {COMMAND, type CommandRegisters, REG} from './command.ts';
import type {Hash128} from './hash.ts';

const {CREATE_RESOURCE, REVOKE, RECLAIM, CONFIRM, RELEASE, RESERVE_BUNDLE} = COMMAND;
const {SUBJECT, HOLDER, AMOUNT} = REG;

/** Leaves the fingerprint of the decoded command in `hash.lanes`. */
export function fingerprint(command: CommandRegisters, hash: Hash128): void {
  const w = command.words;
  hash.begin(command.tag);
  switch (command.tag) {
    case CREATE_RESOURCE:
    case REVOKE:
    case RECLAIM:
      hash.absorb(w, SUBJECT, 1);
      break;
    case CONFIRM:
    case RELEASE:
      hash.absorb(w, SUBJECT, 2);
      break;
    case RESERVE_BUNDLE: {
      const view = command.view;
      hash.absorb(w, HOLDER, 1);
      // Ttl and count, then the members: kept at block boundaries by one word of padding after the count.
      hash.block(w[AMOUNT], w[AMOUNT + 1], command.memberCount, 0);
      let at = command.membersOffset;
      for (let i = 0; i < command.memberCount; i++, at += 16) {
        hash.block(
          view.getInt32(at, true),
          view.getInt32(at + 4, true),
          view.getInt32(at + 8, true),
          view.getInt32(at + 12, true),
        );
      }
      break;
    }
    default:
      // Subject, holder, amount, and two words that the decoder has set to zero.
      hash.absorb(w, SUBJECT, 3);
  }
  hash.end();
}
