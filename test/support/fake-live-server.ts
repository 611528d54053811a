/** Stands in for the predictor where only the page is on trial: its files under the same policy, and frames made up on the spot. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** As the predictor sends it. */
const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";
const FRAME_MS = 250;
const HISTORY = 300;
/** As many streams a frame shows at most; the list has the others. */
const MAX_SHOWN = 24;
const MEMORY = 16;
const TYPES: Record<string, string> = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css' };

type Point = [ts: number, value: number | null, expected: number | null, source: string, half: number | null];

export interface FakeStream {
  id: string;
  group?: string;
  title?: string;
  unit?: string;
  source?: 'model' | 'blend' | 'baseline';
  maeModel?: number | null;
  maePersistence?: number | null;
  /** With these a stream has intervals. */
  skill?: number | null;
  coverage?: number | null;
  /** ms from tick to tick; without `from`, ticks come by the clock. */
  step?: number;
  /** A recorded series' first time. */
  from?: number;
  value?: (i: number) => number | null;
  /** Inputs of the trace, in place of the values. */
  words?: string[];
}

interface Playing extends FakeStream {
  points: Point[];
  ticks: number;
}

export class FakeLiveServer {
  /** Everything of a frame but its streams; a test changes what it needs. */
  frame: Record<string, unknown> = {
    ticksPerSecond: 43.2,
    ticksTotal: 1234,
    deadLettersTotal: 0,
    pipeline: 'default',
    problem: null,
    model: {
      label: 'default@3',
      origin: 'trained',
      createdAt: new Date(Date.now() - 12_000).toISOString(),
      cell: 'gru',
      hidden: MEMORY,
      swaps: 2,
      validation: { rows: 400, mae: 0.31, persistenceMae: 0.4 },
    },
    training: {
      state: 'training',
      progress: 0.42,
      detail: 'epoch 5 of at most 12',
      lastTrainedAt: new Date(Date.now() - 12_000).toISOString(),
      nextAt: null,
    },
  };
  /** GET /live answers 503 while false. */
  live = true;
  readonly requests: string[] = [];
  private readonly server: Server;
  private readonly listeners = new Set<ServerResponse>();
  private streams: Playing[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly files: string) {
    this.server = createServer((request, response) => this.answer(request, response));
  }

  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.timer = setInterval(() => this.beat(), FRAME_MS);
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.hangUp();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** From now on these, each with a full history. */
  play(streams: readonly FakeStream[]): void {
    this.streams = streams.map((stream) => ({ ...stream, points: [], ticks: 0 }));
    for (let i = HISTORY; i > 0; i--) this.tick(Date.now() - i * FRAME_MS);
  }

  hangUp(): void {
    for (const response of this.listeners) response.destroy();
    this.listeners.clear();
  }

  private tick(now: number): void {
    for (const stream of this.streams) {
      const i = stream.ticks++;
      const ts = stream.from === undefined ? now : stream.from + i * (stream.step ?? 1000);
      const before = stream.points.at(-1)?.[1] ?? null;
      const value = (stream.value ?? wave)(i);
      const expected = before === null || value === null ? before : 0.6 * value + 0.4 * before + 0.1 * noise(i);
      const source = stream.source ?? (i < 200 ? 'baseline' : 'model');
      const half = stream.skill === undefined ? null : 0.3;
      stream.points.push([ts, value, source === 'baseline' ? before : expected, source, half]);
      if (stream.points.length > HISTORY) stream.points.shift();
    }
  }

  private beat(): void {
    this.tick(Date.now());
    this.frame.ticksTotal = (this.frame.ticksTotal as number) + this.streams.length;
    for (const response of this.listeners) response.write(this.event((stream) => stream.points.slice(-1)));
  }

  private event(pointsOf: (stream: Playing) => Point[]): string {
    const streams = this.streams.slice(0, MAX_SHOWN).map((stream) => {
      const last = stream.points.at(-1)!;
      return {
        id: stream.id,
        group: stream.group ?? 'streams',
        title: stream.title ?? stream.id,
        unit: stream.unit ?? '',
        ticks: stream.ticks,
        source: stream.source ?? 'model',
        maeModel: stream.maeModel ?? null,
        maePersistence: stream.maePersistence ?? null,
        skill: stream.skill,
        coverage: stream.coverage,
        next: { targetTs: last[0] + (stream.step ?? FRAME_MS), prediction: last[1], half: last[4] },
        points: pointsOf(stream),
      };
    });
    return `event: frame\ndata: ${JSON.stringify({ now: Date.now(), ...this.frame, streams })}\n\n`;
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, 'http://localhost');
    this.requests.push(url.pathname + url.search);
    const trace = /^\/streams\/([^/]+)\/trace$/.exec(url.pathname);
    if (url.pathname === '/live') this.listen(response);
    else if (url.pathname === '/streams') json(response, this.page(url.searchParams));
    else if (trace !== null) this.trace(decodeURIComponent(trace[1]), Number(url.searchParams.get('limit')), response);
    else this.file(url.pathname === '/' ? 'index.html' : url.pathname.slice(1), response);
  }

  private listen(response: ServerResponse): void {
    if (!this.live) {
      response.writeHead(503).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write('retry: 300\n\n' + this.event((stream) => stream.points));
    this.listeners.add(response);
    response.on('close', () => this.listeners.delete(response));
  }

  /** Pages of streams, by the index as the cursor. */
  private page(query: URLSearchParams): unknown {
    const from = Number(query.get('cursor') ?? 0);
    const to = from + Number(query.get('limit') ?? 100);
    const streams = this.streams.slice(from, to).map(({ id, ticks, points, ...stream }) => ({
      id,
      ticks,
      ts: points.at(-1)![0],
      value: points.at(-1)![1],
      prediction: points.at(-1)![1],
      source: stream.source ?? 'model',
      maeModel: stream.maeModel ?? null,
      maePersistence: stream.maePersistence ?? null,
    }));
    return { streams, cursor: to < this.streams.length ? String(to) : null };
  }

  private trace(id: string, limit: number, response: ServerResponse): void {
    const stream = this.streams.find((other) => other.id === id);
    if (stream === undefined) return void response.writeHead(404).end('{}');
    const { points, ticks, words } = stream;
    const rows = points.slice(-limit).map(([ts, value], i, { length }) => {
      const step = ticks - length + i + 1;
      return {
        step,
        ts,
        input: words === undefined ? value : words[step % words.length],
        memory: Array.from({ length: MEMORY }, (_, k) => Math.sin(0.07 * step * (1 + k / 5) + 2 * k)),
        output: words === undefined ? value : 0.5 + 0.4 * Math.sin(step),
      };
    });
    json(response, { stream: id, model: 'default@3', exact: true, rows });
  }

  private file(name: string, response: ServerResponse): void {
    const type = TYPES[name.split('.').at(-1)!];
    if (type === undefined || name.includes('/')) return void response.writeHead(404).end();
    response.writeHead(200, {
      'content-type': type,
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
    });
    response.end(readFileSync(join(this.files, name)));
  }
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** The same at every run. */
function noise(i: number): number {
  const x = Math.sin(12.9898 * i) * 43758.5453;
  return 2 * (x - Math.floor(x)) - 1;
}

function wave(i: number): number {
  return 40 + 18 * Math.sin(i / 14) + 9 * Math.sin(i / 5.3) + 5 * noise(i);
}
