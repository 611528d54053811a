import { gru, gruBack, lstm, lstmBack, simpleRnn, simpleRnnBack } from './cells';
import { Pass, readOut } from './pass';

/** Up to here the memory holds the kernel's constants. */
export function reserved(): usize {
  return __heap_base;
}

// Places in CELLS of src/training-plan.ts.
const SIMPLE_RNN: i32 = 0;
const GRU: i32 = 1;
const LSTM: i32 = 2;

/** From operands' inputs and packed weights to `outputs`; leaves behind what `backward` needs. */
export function forward(record: usize): void {
  const pass = changetype<Pass>(record);
  memory.fill(pass.state(0), 0, pass.n);
  switch (pass.cell) {
    case SIMPLE_RNN:
      simpleRnn(pass);
      break;
    case GRU:
      gru(pass);
      break;
    case LSTM:
      memory.fill(pass.cells, 0, pass.n);
      lstm(pass);
      break;
    default:
      unreachable();
  }
  readOut(pass);
}

/** From the gradient in `outputs` to those of the weights, once after each `forward`. */
export function backward(record: usize): void {
  const pass = changetype<Pass>(record);
  memory.fill(pass.carry, 0, pass.n);
  memory.fill(pass.readOutGradients, 0, (<usize>(pass.heads * pass.unitQuads)) << 4);
  switch (pass.cell) {
    case SIMPLE_RNN:
      simpleRnnBack(pass);
      return;
    case GRU:
      gruBack(pass);
      return;
    case LSTM:
      memory.fill(pass.carryTwo, 0, pass.n);
      lstmBack(pass);
      return;
    default:
      unreachable();
  }
}
