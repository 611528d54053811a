/** A Keras activation, however it is written down, as one of ours. */
import { ACTIVATIONS, type Activation } from '#rnn/spec';
import { isObject, own, type Json } from './json.js';
import { quote, unsupported } from './refusals.js';

export type AnyActivation = Activation | 'softmax';

export interface Version {
  /** Major version of the Keras that saved the model; TensorFlow.js counts as 2. */
  readonly major: number;
  readonly text: string;
  readonly tfjs: boolean;
}

const KNOWN = [...ACTIVATIONS.filter((name) => name !== 'hard_sigmoid_keras2'), 'softmax'].join(', ');
const SYNONYMS: Record<string, AnyActivation> = { swish: 'silu', hardSigmoid: 'hard_sigmoid', softMax: 'softmax' };

export function activationOf(value: unknown, otherwise: string, version: Version, where: string): AnyActivation {
  if (value === undefined) return named(otherwise, version, where);
  if (value === null) return 'linear';
  if (typeof value === 'string') return named(value, version, where);
  if (isObject(value)) return serialised(value, version, where);
  throw unsupported(where, `its activation ${quote(JSON.stringify(value))} is none that riverrun knows`);
}

function named(name: string, version: Version, where: string): AnyActivation {
  const known = Object.hasOwn(SYNONYMS, name) ? SYNONYMS[name] : name;
  // The name's meaning changed with Keras 3: from clip(0.2 x + 0.5, 0, 1) to relu6(x + 3) / 6.
  if (known === 'hard_sigmoid') return version.major >= 3 ? 'hard_sigmoid' : 'hard_sigmoid_keras2';
  if (known === 'softmax') return known;
  const found = ACTIVATIONS.find((activation) => activation === known);
  if (found !== undefined && found !== 'hard_sigmoid_keras2') return found;
  throw unsupported(where, `its activation ${quote(name)} is none that riverrun has (${KNOWN})`);
}

/** `{class_name, config}`: a function of Keras' own, or an activation layer used as a function. */
function serialised(value: Json, version: Version, where: string): AnyActivation {
  const className = own(value, 'class_name');
  const config = own(value, 'config');
  const module = own(value, 'module');
  if (className === 'function' && typeof config === 'string') {
    // Keras' own functions are written as plain names; this form, unless it says keras, is somebody's own function of any name.
    if (typeof module === 'string' && /^keras\b/.test(module)) return named(config, version, where);
    throw unsupported(where, `its activation ${quote(config)} is a custom function, which is never run`);
  }
  const layer =
    typeof className === 'string'
      ? activationLayer(className, isObject(config) ? config : {}, version, where)
      : undefined;
  if (layer !== undefined) return layer;
  throw unsupported(where, `its activation ${quote(className)} is none that riverrun has`);
}

/** The function of an Activation, ReLU, Softmax or ELU layer; undefined for a layer that is no activation. */
export function activationLayer(
  className: string,
  config: Json,
  version: Version,
  where: string,
): AnyActivation | undefined {
  const number = (key: string, otherwise: number): unknown => own(config, key) ?? otherwise;
  switch (className) {
    case 'Activation':
      return activationOf(own(config, 'activation'), 'linear', version, where);
    case 'ReLU': {
      const max = own(config, 'max_value') ?? null;
      const plain = number('negative_slope', 0) === 0 && number('threshold', 0) === 0;
      if (plain && max === null) return 'relu';
      if (plain && max === 6) return 'relu6';
      throw unsupported(
        where,
        'a ReLU with this max_value, negative_slope or threshold is not supported, only relu and relu6',
      );
    }
    case 'Softmax': {
      const axis = own(config, 'axis') ?? -1;
      if (axis === -1 || (Array.isArray(axis) && axis.length === 1 && axis[0] === -1)) return 'softmax';
      throw unsupported(where, 'a softmax over any axis but the last mixes ticks');
    }
    case 'ELU':
      if (number('alpha', 1) === 1) return 'elu';
      throw unsupported(where, 'an ELU with an alpha other than 1 is not supported');
    case 'LeakyReLU':
    case 'PReLU':
    case 'ThresholdedReLU':
      throw unsupported(where, `${className} is none of the activations riverrun has (${KNOWN})`);
    default:
      return undefined;
  }
}
