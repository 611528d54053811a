import { copyOut, dense, dot1, dot4 } from './feed-forward';
import { Layer } from './layer';
import { gruResetAfter, gruResetBefore, lstm, simpleRnn } from './recurrent';

export { activate } from './activations';

/** Up to here the memory holds the kernel's constants. */
export function reserved(): usize {
  return __heap_base;
}

// Places in OPERATIONS of src/simd-plan.ts.
const COPY: i32 = 0;
const SIMPLE_RNN: i32 = 1;
const LSTM: i32 = 2;
const GRU_RESET_AFTER: i32 = 3;
const GRU_RESET_BEFORE: i32 = 4;
const DENSE: i32 = 5;
const DOT: i32 = 6;

/** Takes the wave's streams 0..count through `layers` records, layer by layer, four streams at a time and the rest singly. */
export function run(records: usize, layers: i32, count: i32): void {
  for (let l = 0; l < layers; l++) {
    const layer = changetype<Layer>(records + <usize>l * offsetof<Layer>());
    let first = 0;
    for (; first + 4 <= count; first += 4) group(layer, 4, first);
    for (; first < count; first++) group(layer, 1, first);
  }
}

function group(layer: Layer, streams: i32, first: i32): void {
  switch (layer.op) {
    case COPY:
      for (let s = 0; s < streams; s++) copyOut(layer, first + s);
      return;
    case SIMPLE_RNN:
      simpleRnn(layer, streams, first);
      return;
    case LSTM:
      lstm(layer, streams, first);
      return;
    case GRU_RESET_AFTER:
      gruResetAfter(layer, streams, first);
      return;
    case GRU_RESET_BEFORE:
      gruResetBefore(layer, streams, first);
      return;
    case DENSE:
      dense(layer, streams, first);
      return;
    case DOT:
      if (streams == 4) dot4(layer, first);
      else dot1(layer, first);
      return;
    default:
      unreachable();
  }
}
