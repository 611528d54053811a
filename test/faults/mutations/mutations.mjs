/** Safeguards of the protocol, how to take each out of the build, and the fault test that has to notice. */
export const MUTATIONS = [
  {
    name: 'no compare-and-set',
    edits: [
      [
        'libs/adapters/redis/src/commands/commit-states.lua',
        "  return {0, watermark or '', commit or '', unfinished or ''}\n",
        '  local _ = 0\n',
      ],
    ],
    spec: 'processes',
    test: 'a zombie that wakes in a silence',
  },
  {
    name: 'a cold load looks at no watermark',
    edits: [
      [
        'libs/adapters/redis/src/commands/load-states.lua',
        "  return {0, watermark or '', commit or '', unfinished or ''}\n",
        '  local _ = 0\n',
      ],
    ],
    spec: 'redis',
    test: 'no state older than the watermark',
  },
  {
    name: 'a checkpoint copies what is left',
    edits: [
      [
        'libs/adapters/redis/src/commands/changed-states.lua',
        '  if #all / 2 ~= tonumber(recorded) then return {2, name, recorded, tostring(#all / 2)} end\n',
        '',
      ],
    ],
    spec: 'redis',
    test: 'a checkpoint meets that before a tick does',
  },
  {
    name: 'what a replay changed is not saved',
    edits: [
      [
        'libs/pipeline/src/pipeline.js',
        'await this.replayTo(position);',
        'await this.replayTo(position); core.dirty.length = 0; core.table.dirty.fill(0);',
      ],
    ],
    spec: 'redis',
    test: 'comes back as an old snapshot',
  },
  {
    name: 'no generation in TxnOffsetCommit',
    edits: [
      [
        'libs/adapters/kafka/src/requests.js',
        '.int32(group.generation).string(group.memberId)',
        ".int32(-1).string('')",
      ],
    ],
    spec: 'wire',
    test: 'a AddPartitionsToTxn that arrives',
  },
  {
    name: 'a replay publishes',
    edits: [
      ['libs/pipeline/src/pipeline.js', '{ suppress: true }', '{ suppress: false }'],
      ['libs/adapters/kafka/src/kafka-tick-log.js', 'if (offsets[0] < this.committed)', 'if (offsets[0] < 0)'],
    ],
    spec: 'redis',
    test: 'comes back as an old snapshot',
  },
  {
    name: 'a replay keeps the model it began with',
    edits: [['libs/pipeline/src/pipeline.js', 'core.serve(champion, canary);\n    }\n', '}\n']],
    spec: 'swaps',
    test: 'a swap between the snapshot',
  },
];
