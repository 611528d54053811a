import { SEGMENT_ROWS, type StateStore, type Watermark, type WindowStore } from '#domain/ports';
import { stateSegments, withStateOffset } from '#pipeline/state-codec';
import type { FilePartition, FileStream } from './state-file.js';

const PAGE = 512;

/** The streams of a store that is open, with their windows. `page` reads as of one watermark, whatever that is by then. */
export async function* streamsOf(
  store: StateStore & WindowStore,
  { topic, partition }: Pick<FilePartition, 'topic' | 'partition'>,
  page: <T>(read: () => Promise<T>) => Promise<T> = (read) => read(),
): AsyncGenerator<FileStream> {
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const at = cursor;
    const { ids, states, windows, next } = await page(async () => {
      const { ids, cursor: next } = await store.list(at, PAGE);
      const { states } = await store.load(ids, { storedOnly: true });
      return { ids, states, windows: await store.read(ids), next };
    });
    cursor = next;
    for (const [i, stream] of ids.entries()) {
      const state = states[i];
      if (state !== undefined) yield { stream, topic, partition, state, window: windows[i] };
    }
  }
}

/** Fills an empty store in one commit: all of it is there with the watermark, or nothing is. With `movedTo`, as if all had been absorbed below that offset. */
export async function fillStore(
  store: StateStore,
  watermark: Watermark,
  streams: readonly FileStream[],
  inputs: number,
  movedTo?: number,
): Promise<void> {
  const width = 1 + inputs;
  const states = streams.map(({ state }) => (movedTo === undefined ? state : withStateOffset(state, movedTo - 1)));
  const start = new Int32Array(streams.length);
  const end = new Int32Array(streams.length);
  const bytes = new Uint8Array(states.reduce((sum, state) => sum + state.length, 0));
  let at = 0;
  states.forEach((state, i) => {
    bytes.set(state, at);
    start[i] = at;
    end[i] = at += state.length;
  });
  const each = SEGMENT_ROWS * width;
  const counts = streams.map(({ window }) => Math.floor(window.length / each));
  const count = counts.reduce((sum, n) => sum + n, 0);
  const owner = new Int32Array(count);
  const sequence = new Float64Array(count);
  const rows = new Float64Array(count * each);
  let k = 0;
  streams.forEach(({ window, state }, i) => {
    const first = stateSegments(state) - counts[i];
    for (let n = 0; n < counts[i]; n++, k++) {
      owner[k] = i;
      sequence[k] = first + n;
      rows.set(window.subarray(n * each, (n + 1) * each), k * each);
    }
  });
  await store.open();
  const ids = streams.map(({ stream }) => stream);
  const { handles } = await store.load(ids);
  await store.commit({
    ...{ expected: undefined, next: watermark, ids, handles, bytes, start, end },
    segments: { count, width, owner, sequence, rows },
  });
}
