/** Models for people and for `--json`. Vocabularies are counted, not shown: they may hold a hundred thousand words. */
import { modelLabel, type ModelManifest, type ModelReference } from '#domain/model';
import type { Aliases } from '#domain/ports';
import { stateSize, weightCount, type LayerSpec, type NetworkSpec } from '#rnn/spec';
import { shortNumber, table } from '../output.js';

/** Layers of a network shown in a list. */
const FEW_LAYERS = 4;

interface View {
  readonly json: object;
  readonly text: string;
}

interface NamedAliases extends Aliases {
  readonly name: string;
}

export function listModels(models: readonly ModelManifest[], aliases: readonly NamedAliases[]): View {
  const roleOf = (model: ModelReference): string[] =>
    aliases.flatMap(({ name, champion, previous, challenger, canary }) => [
      ...(same(champion, model) ? [`champion of ${name}`] : []),
      ...(same(previous, model) ? [`before in ${name}`] : []),
      ...(same(challenger, model) ? [`challenger in ${name}`] : []),
      ...(same(canary?.model, model) ? [`canary in ${name}, ${shortNumber(100 * canary!.share)} %`] : []),
    ]);
  const label = (m: ModelReference | undefined): string | null => (m === undefined ? null : modelLabel(m));
  return {
    json: {
      models: models.map(summaryOf),
      pipelines: aliases.map(({ name, champion, previous, challenger, canary }) => ({
        name,
        champion: label(champion),
        previous: label(previous),
        challenger: label(challenger),
        canary: label(canary?.model),
        share: canary?.share ?? null,
      })),
    },
    text:
      models.length === 0
        ? 'no models yet: riverrun model import FILE takes one in, and training makes them'
        : table(
            [
              ['MODEL', 'NETWORK', 'INPUTS', 'WEIGHTS', 'SCALER', 'ORIGIN', 'CREATED', 'SERVES'],
              ...models.map((m) => [
                modelLabel(m),
                networkText(m.network, FEW_LAYERS),
                String(m.network.inputSize),
                String(weightCount(m.network)),
                m.scaler,
                m.pinned ? `${m.origin}, pinned` : m.origin,
                m.createdAt.slice(0, 19).replace('T', ' '),
                roleOf(m).join(', ') || '-',
              ]),
            ],
            [2, 3],
          ),
  };
}

export function describeModel(manifest: ModelManifest): View {
  const { training } = manifest;
  const rows: [string, string][] = [
    ['model', modelLabel(manifest)],
    ['network', networkText(manifest.network)],
    ['inputs', String(manifest.network.inputSize)],
    ['weights', String(weightCount(manifest.network))],
    ['memory', `${stateSize(manifest.network)} numbers a stream`],
    ...(manifest.vocabulary === undefined
      ? []
      : [['vocabulary', `${manifest.vocabulary.length} words`] as [string, string]]),
    ['scaler', manifest.scaler],
    ['target', manifest.target],
    ['warm-up', `${manifest.warmUp} ticks`],
    ['origin', manifest.pinned ? `${manifest.origin}, pinned: training never replaces it` : manifest.origin],
    ['created', manifest.createdAt],
    ['digest', manifest.digest],
  ];
  if (training !== undefined) {
    const { rows: held, mae, persistenceMae } = training.validation;
    rows.push(
      [
        'trained on',
        `${training.rows} rows of ${training.streams} streams, ${training.epochs} epochs, ${shortNumber(training.seconds)} s, seed ${training.seed}`,
      ],
      [
        'validation',
        `mae ${shortNumber(mae)}, persistence ${shortNumber(persistenceMae)}, over ${held} rows held back`,
      ],
    );
  }
  return { json: summaryOf(manifest), text: table(rows) };
}

/** `embedding(4→8) lstm(32) dense(1)`; of a long network in a table only how it begins and ends. */
function networkText({ layers }: NetworkSpec, most = Infinity): string {
  const texts = layers.map(layerText);
  if (texts.length > most) texts.splice(most - 1, texts.length - most, '…');
  return texts.join(' ');
}

const layerText = (layer: LayerSpec): string =>
  layer.type === 'embedding'
    ? `embedding(${layer.inputDim}→${layer.outputDim})`
    : `${layer.type.replace('_', '-')}(${layer.units})`;

function summaryOf({ vocabulary, ...manifest }: ModelManifest): object {
  return {
    ...manifest,
    weights: weightCount(manifest.network),
    ...(vocabulary !== undefined && { vocabularySize: vocabulary.length }),
  };
}

const same = (a: ModelReference | undefined, b: ModelReference): boolean =>
  a?.name === b.name && a.version === b.version;
