/** A model's description as a plain chain of layers, one after the other; anything else is refused by name. */
import { arrayAt, isObject, objectAt, own, stringAt, type Json } from './json.js';
import { MAX_LAYERS } from './limits.js';
import { invalid, quote, unsupported } from './refusals.js';
import { refuseClass } from './refused-layers.js';

export interface ChainLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Json;
}

export interface Chain {
  /** Without input layers. */
  readonly layers: readonly ChainLayer[];
  /** [batch, …], null where open; undefined if the model does not say. */
  readonly inputShape: readonly (number | null)[] | undefined;
}

export function readChain(topology: Json): Chain {
  const className = stringAt(topology, 'class_name', 'model');
  const config = own(topology, 'config');
  if (className === 'Sequential')
    return sequential(Array.isArray(config) ? { layers: config } : objectAt(topology, 'config', 'model'));
  if (className === 'Functional' || className === 'Model') return functional(objectAt(topology, 'config', 'model'));
  throw unsupported(
    `model ${quote(className)}`,
    'only Sequential and functional models are read; a subclassed model keeps its wiring in Python code',
  );
}

function layersOf(config: Json): { layer: ChainLayer; json: Json }[] {
  const list = arrayAt(config, 'layers', 'model');
  if (list.length > MAX_LAYERS) throw invalid(`the model lists ${list.length} layers, more than ${MAX_LAYERS}`);
  return list.map((json, i) => {
    if (!isObject(json)) throw invalid(`layers[${i}] of the model must be an object`);
    const layer = layerOf(json, `layers[${i}]`);
    refuseClass(layer, json);
    return { layer, json };
  });
}

export function layerOf(json: Json, where: string): ChainLayer {
  const className = stringAt(json, 'class_name', where);
  const config = objectAt(json, 'config', where);
  const name = own(config, 'name') ?? own(json, 'name') ?? className;
  if (typeof name !== 'string') throw invalid(`${where}: name must be a text`);
  return { className, name, config };
}

function sequential(config: Json): Chain {
  const all = layersOf(config).map(({ layer }) => layer);
  const inputs = all.filter(isInput);
  if (inputs.length > 1) throw unsupported(label(inputs[1]), 'a second input; riverrun feeds one');
  return chainOf(
    all.filter((layer) => !isInput(layer)),
    inputs[0],
    own(config, 'build_input_shape'),
  );
}

const isInput = ({ className }: ChainLayer): boolean => className === 'InputLayer';

function chainOf(layers: ChainLayer[], input: ChainLayer | undefined, builtFor?: unknown): Chain {
  if (layers.length === 0) throw invalid('the model has no layers');
  const config = (input ?? layers[0]).config;
  const shape = own(config, 'batch_shape') ?? own(config, 'batch_input_shape') ?? builtFor;
  const known = Array.isArray(shape) && shape.every((d) => d === null || (Number.isInteger(d) && d > 0));
  return { layers, inputShape: known ? (shape as (number | null)[]) : undefined };
}

interface Node {
  readonly layer: ChainLayer;
  /** Names of the layers whose output goes in. */
  readonly inputs: readonly string[];
  /** Layers that give the mask; Keras 3 draws an embedding's mask as a layer of its own, NotEqual(ids, 0). */
  readonly masks: readonly string[];
}

function functional(config: Json): Chain {
  const nodes = new Map<string, Node>();
  for (const { layer, json } of layersOf(config)) {
    if (nodes.has(layer.name)) throw invalid(`two layers of the model are called ${quote(layer.name)}`);
    nodes.set(layer.name, nodeOf(layer, json));
  }
  dropMasks(nodes);
  const input = onlyOne(nodes, references(own(config, 'input_layers')), 'inputs');
  const output = onlyOne(nodes, references(own(config, 'output_layers')), 'outputs');
  const next = followers(nodes);
  const layers: ChainLayer[] = [];
  let at: Node | undefined = input;
  const seen = new Set<Node>();
  while (at !== undefined) {
    if (seen.has(at)) throw invalid(`layer ${quote(at.layer.name)} feeds itself`);
    seen.add(at);
    if (!isInput(at.layer)) layers.push(at.layer);
    if (at === output) break;
    at = next.get(at.layer.name);
  }
  if (at === undefined) throw invalid("the model's output is not connected to its input");
  for (const node of nodes.values())
    if (!seen.has(node)) throw unsupported(label(node.layer), 'it does not stand in the chain from input to output');
  return chainOf(layers, input.layer);
}

export const label = (layer: ChainLayer): string => `layer ${quote(layer.name)} (${layer.className})`;

function followers(nodes: Map<string, Node>): Map<string, Node> {
  const next = new Map<string, Node>();
  for (const node of nodes.values())
    for (const name of node.inputs) {
      if (!nodes.has(name))
        throw invalid(`${label(node.layer)} takes the output of ${quote(name)}, which is not in the model`);
      const other = next.get(name);
      if (other !== undefined)
        throw unsupported(
          `layer ${quote(name)}`,
          `its output branches, to ${quote(other.layer.name)} and ${quote(node.layer.name)}`,
        );
      next.set(name, node);
    }
  return next;
}

function onlyOne(nodes: Map<string, Node>, names: string[], what: string): Node {
  if (names.length !== 1)
    throw unsupported('model', `it has ${names.length} ${what} (${names.map(quote).join(', ')}); riverrun serves one`);
  const node = nodes.get(names[0]);
  if (node === undefined) throw invalid(`the model's ${what} name ${quote(names[0])}, which is not one of its layers`);
  return node;
}

/** `["a", 0, 0]` or a list of those. */
function references(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  const list: unknown[] = typeof value[0] === 'string' ? [value] : value;
  return list.map((item) => (Array.isArray(item) && typeof item[0] === 'string' ? item[0] : '?'));
}

function nodeOf(layer: ChainLayer, json: Json): Node {
  const calls = own(json, 'inbound_nodes') ?? [];
  if (!Array.isArray(calls)) throw invalid(`${label(layer)}: inbound_nodes must be a list`);
  if (calls.length > 1) throw unsupported(label(layer), `it is shared: used in ${calls.length} places`);
  const inputs: string[] = [];
  const masks: string[] = [];
  for (const call of calls as unknown[]) {
    const { args, kwargs } = callOf(call);
    collect(args, inputs, layer);
    for (const [key, value] of Object.entries(kwargs)) {
      const others: string[] = [];
      collect(value, key === 'mask' ? masks : others, layer);
      if (others.length > 0) throw unsupported(label(layer), `it takes ${quote(others[0])} as its ${quote(key)}`);
    }
  }
  if (inputs.length > 1) throw unsupported(label(layer), `it joins ${inputs.map(quote).join(' and ')}`);
  return { layer, inputs, masks };
}

/** Keras 3 writes {args, kwargs}; earlier ones and TensorFlow.js a list of [layer, node, tensor, kwargs]. */
function callOf(call: unknown): { args: unknown; kwargs: Json } {
  if (isObject(call)) {
    const kwargs = own(call, 'kwargs');
    return { args: own(call, 'args'), kwargs: isObject(kwargs) ? kwargs : {} };
  }
  const list: unknown[] = !Array.isArray(call) ? [] : typeof call[0] === 'string' ? [call] : call;
  const kwargs = list.map((item) => (Array.isArray(item) && isObject(item[3]) ? item[3] : {}));
  return {
    args: list.map((item) => ({ keras_history: Array.isArray(item) ? item : [] })),
    kwargs: Object.fromEntries(kwargs.flatMap((item) => Object.entries(item))),
  };
}

function collect(value: unknown, found: string[], layer: ChainLayer): void {
  if (Array.isArray(value)) {
    // Old calls name a tensor in their kwargs as a bare list.
    if (typeof value[0] === 'string' && value.length === 3 && value.slice(1).every(Number.isInteger))
      tensor(value, found, layer);
    else for (const item of value) collect(item, found, layer);
  } else if (isObject(value)) {
    const history = own(value, 'keras_history');
    if (Array.isArray(history)) tensor(history, found, layer);
    else for (const item of Object.values(value)) collect(item, found, layer);
  }
}

function tensor([name, , index]: unknown[], found: string[], layer: ChainLayer): void {
  if (typeof name !== 'string') throw invalid(`${label(layer)}: inbound_nodes cannot be read`);
  if (index !== 0)
    throw unsupported(
      `layer ${quote(name)}`,
      `it has several outputs; ${quote(layer.name)} takes number ${Number(index)}`,
    );
  found.push(name);
}

/** Takes out the mask layers: what they compute is what the embedding's mask_zero says. */
function dropMasks(nodes: Map<string, Node>): void {
  const embedded = new Set<string>();
  for (const { layer, inputs } of nodes.values())
    if (layer.className === 'Embedding' && own(layer.config, 'mask_zero') === true) embedded.add(inputs[0]);
  for (const node of nodes.values())
    for (const name of node.masks) {
      const mask = nodes.get(name);
      if (mask === undefined) continue;
      if (mask.layer.className !== 'NotEqual' || !embedded.has(mask.inputs[0]))
        throw unsupported(
          label(node.layer),
          `its mask comes from ${quote(name)}; only an embedding's mask_zero is read`,
        );
      nodes.delete(name);
    }
}
