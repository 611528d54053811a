"""Writes keras-fixtures.jsonl, one line each: small networks, their weights, inputs and what Keras 3 itself (JAX backend) computes at every step.
pip install keras==3.15.1 jax==0.10.2, then: KERAS_BACKEND=jax python keras-fixtures.py"""
import json, os
import keras
import numpy as np
from keras import layers as L

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, rng = 12, np.random.default_rng(11)
ACTIVATIONS = ['linear', 'tanh', 'sigmoid', 'relu', 'relu6', 'hard_sigmoid', 'softsign', 'elu', 'selu', 'exponential', 'softplus', 'silu']


def dense(units, activation='linear', bias=True):
    return {'type': 'dense', 'units': units, 'activation': activation, 'useBias': bias}


def gru(units, after, bias=True, activation='tanh', recurrent='sigmoid'):
    return {'type': 'gru', 'units': units, 'activation': activation, 'recurrentActivation': recurrent, 'useBias': bias, 'resetAfter': after}


def lstm(units, bias=True, activation='tanh', recurrent='sigmoid'):
    return {'type': 'lstm', 'units': units, 'activation': activation, 'recurrentActivation': recurrent, 'useBias': bias}


def rnn(units, bias=True, activation='tanh'):
    return {'type': 'simple_rnn', 'units': units, 'activation': activation, 'useBias': bias}


def embedding(rows, columns, mask):
    return {'type': 'embedding', 'inputDim': rows, 'outputDim': columns, 'maskZero': mask}


def keras_layer(s):
    common = dict(use_bias=s.get('useBias'), activation=s.get('activation'))
    seq = dict(return_sequences=True, **common)
    match s['type']:
        case 'embedding': return L.Embedding(s['inputDim'], s['outputDim'], mask_zero=s['maskZero'])
        case 'dense': return L.Dense(s['units'], **common)
        case 'simple_rnn': return L.SimpleRNN(s['units'], **seq)
        case 'lstm': return L.LSTM(s['units'], recurrent_activation=s['recurrentActivation'], **seq)
        case 'gru': return L.GRU(s['units'], recurrent_activation=s['recurrentActivation'], reset_after=s['resetAfter'], **seq)


def case(name, input_size, *specs):
    tokens = specs[0]['type'] == 'embedding'
    model = keras.Sequential([keras.Input((STEPS,) if tokens else (STEPS, input_size)), *map(keras_layer, specs)])
    weights = [rng.normal(0, 0.6, w.shape).astype(np.float32).round(3) for w in model.get_weights()]
    model.set_weights(weights)
    if tokens:
        inputs = rng.integers(0, specs[0]['inputDim'], (1, STEPS)).astype(np.int32)
        inputs[0, [0, 4, 5]] = 0
    else:
        inputs = rng.normal(0, 1, (1, STEPS, input_size)).astype(np.float32).round(3)
    outputs = np.asarray(model(inputs))[0]
    numbers = lambda a: [float(str(x)) for x in np.asarray(a).ravel()]
    return {'name': name, 'spec': {'inputSize': input_size, 'layers': specs}, 'weights': numbers(np.concatenate([w.ravel() for w in weights])),
            'inputs': numbers(inputs), 'outputs': numbers(outputs)}


cases = [
    case('gru, reset after', 2, gru(5, True), dense(1)),
    case('gru, reset after, no bias', 2, gru(5, True, bias=False)),
    case('gru, reset before', 3, gru(6, False), dense(2)),
    case('gru, reset before, no bias', 3, gru(4, False, bias=False)),
    case('gru, other activations', 1, gru(9, True, activation='softsign', recurrent='hard_sigmoid'), dense(1)),
    case('lstm', 2, lstm(5), dense(1)),
    case('lstm, no bias, other activations', 1, lstm(7, bias=False, activation='softsign', recurrent='hard_sigmoid')),
    case('simple_rnn', 3, rnn(5), dense(6, 'softmax')),
    case('simple_rnn, no bias', 1, rnn(4, bias=False)),
    case('stack', 2, lstm(4), dense(3, 'elu', bias=False), gru(5, True), rnn(3), dense(9, 'softmax')),
    case('embedding, masked zeros', 1, embedding(6, 3, True), gru(5, True), lstm(4), dense(2)),
    case('embedding, plain zeros', 1, embedding(6, 3, False), lstm(4), dense(2)),
    *(case(f'dense {a}', 3, dense(5, a)) for a in ACTIVATIONS + ['softmax']),
]
with open(HERE + '/keras-fixtures.jsonl', 'w') as f:
    f.writelines(json.dumps(c, separators=(',', ':')) + '\n' for c in cases)
