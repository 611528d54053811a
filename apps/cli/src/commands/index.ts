import type { AddCommand } from '../arguments.js';
import { addAudit } from './audit.js';
import { addBacktest } from './backtest.js';
import { addBench } from './bench.js';
import { addConfig } from './config.js';
import { addModel } from './model.js';
import { addPipe } from './pipe.js';
import { addProve } from './prove.js';
import { addRepartition } from './repartition.js';
import { addReplay } from './replay.js';
import { addServe } from './serve.js';
import { addState } from './state.js';
import { addTrace } from './trace.js';
import { addTrain } from './train.js';

/** In the order of the help. */
export const COMMANDS: readonly AddCommand[] = [
  addServe,
  addPipe,
  addReplay,
  addBacktest,
  addModel,
  addTrain,
  addTrace,
  addState,
  addAudit,
  addProve,
  addRepartition,
  addConfig,
  addBench,
];
