"""The PyTorch side of training.bench.ts: for each line "cell units steps size batches" on stdin one epoch, its CPU seconds on stdout."""

import sys
import time

import torch

torch.set_num_threads(1)
torch.manual_seed(1)
BURN_IN = 8
contestants = {}


def make(cell, units, steps, size, batches):
    recurrent = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](2, units)
    read_out = torch.nn.Linear(units, 1)
    parameters = [*recurrent.parameters(), *read_out.parameters()]
    adam = torch.optim.Adam(parameters, lr=0.01)
    inputs = torch.randn(batches, steps, size, 2)
    targets = torch.randn(batches, steps, size, 1)

    def epoch():
        for x, y in zip(inputs, targets):
            adam.zero_grad()
            error = read_out(recurrent(x)[0][BURN_IN:]) - y[BURN_IN:]
            loss = (torch.sqrt(error**2 + 0.25) - 0.5).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1)
            adam.step()

    epoch()
    return epoch


for line in sys.stdin:
    cell, *sizes = line.split()
    if line not in contestants:
        contestants[line] = make(cell, *map(int, sizes))
    start = time.process_time()
    contestants[line]()
    print(time.process_time() - start, flush=True)
