/**
 * A process of `pnpm campaign rot`: every bit of every file of three directories, every edit of their small files, and
 * damaged sectors in directories of any history. The first two have an end; their seeds are the numbers of pieces
 * (`rot_damages.ts`), each of which is run once.
 */
import {runWorker} from '@allocdb/campaign';
import {bitChunks, damageAtRandom, editChunks, editFiles, flipBits, noCounts, type RotCounts} from '../rot_damages.ts';

const [bits, edits] = await Promise.all([bitChunks(), editChunks()]);

/** All that there is in the pieces of one list, each run whole. */
function inPieces<Piece>(pieces: readonly Piece[], run: (piece: Piece, stride: number, counts: RotCounts) => void) {
  return (seed: number): Record<string, number> => {
    const piece = pieces[seed - 1];
    if (piece === undefined) throw new RangeError(`pieces are 1 to ${pieces.length}`);
    const counts = noCounts();
    run(piece, 1, counts);
    const {damages, ...verdicts} = counts;
    return pieces === bits ? {bits: damages, ...verdicts} : {edits: damages, ...verdicts};
  };
}

await runWorker([
  {
    name: 'bits',
    weight: 80,
    seeds: bits.length,
    totals: {bits: bits.reduce((sum, {count}) => sum + count, 0)},
    run: inPieces(bits, flipBits),
  },
  {name: 'edits', weight: 10, seeds: edits.length, run: inPieces(edits, editFiles)},
  {name: 'sectors', weight: 10, seeds: null, run: async seed => ({...(await damageAtRandom(seed))})},
]);
