/** A proxy in front of one Kafka listener that knows requests by their API key: it counts them, and a test can have single ones lost, late or cut off. */
import { FrameSplitter, correlationIdOfResponse, parseRequest, type KafkaRequest } from './kafka-frames.js';
import { TcpProxy, close, write, type Direction, type Link } from './tcp-proxy.js';

/**
 * What happens to a request that a rule matches:
 * - `swallow-request`: the broker never gets it, the client waits;
 * - `drop-response`: the broker does its work, the client waits for ever;
 * - `close-before-request`: the broker never gets it, the connection closes;
 * - `close-after-request`: the broker gets it, and the client's connection closes at once (whether it is done already is open);
 * - `close-instead-of-response`: the connection closes when the broker has done its work and answers;
 * - `hold-request`, `hold-response`: it waits, and all that follows on its connection, until `release`;
 * - `{delayRequest}`, `{delayResponse}`: the same for so many ms.
 */
export type KafkaFault =
  | 'swallow-request'
  | 'drop-response'
  | 'close-before-request'
  | 'close-after-request'
  | 'close-instead-of-response'
  | 'hold-request'
  | 'hold-response'
  | { readonly delayRequest: number }
  | { readonly delayResponse: number };

export interface RuleOptions {
  /** The first matching request it applies to, counted from 1 from now on. Default 1. */
  readonly nth?: number;
  /** To how many in a row from there on. Default 1. */
  readonly times?: number;
  /** Narrows what matches, e.g. `({ body }) => body.includes('my-transactional-id')`. */
  readonly where?: (request: KafkaRequest) => boolean;
}

export interface Rule {
  /** Requests it was applied to so far. */
  readonly hits: number;
  /** The first request it was applied to; for faults of responses once the response is there, that is, the broker is done. */
  readonly hit: Promise<KafkaRequest>;
  /** Lets go what it holds, and holds nothing more. */
  release(): void;
  /** Applies to nothing more; lets go what it holds. */
  remove(): void;
}

const FAULTS_OF_RESPONSES: readonly unknown[] = ['drop-response', 'close-instead-of-response', 'hold-response'];

export class KafkaProxy extends TcpProxy {
  private readonly counts = new Map<number, number>();
  private readonly rules = new Set<ActiveRule>();
  private readonly states = new WeakMap<Link, LinkState>();

  /** Requests with that API key since the start or the last `reset`. */
  count(api: number): number {
    return this.counts.get(api) ?? 0;
  }

  /** Rules apply in the order in which they were made; the first that matches counts. */
  on(api: number, fault: KafkaFault, options: RuleOptions = {}): Rule {
    const rule = new ActiveRule(api, fault, options, () => this.rules.delete(rule));
    this.rules.add(rule);
    return rule;
  }

  /** Forgets rules and counts, and ends cut, stall and delay. */
  reset(): void {
    for (const rule of this.rules) rule.remove();
    this.counts.clear();
    this.resume();
  }

  protected override async forward(link: Link, direction: Direction, data: Buffer): Promise<void> {
    if (!this.states.has(link)) this.states.set(link, new LinkState());
    const state = this.states.get(link)!;
    for (const frame of state[direction].push(data))
      if (direction === 'requests') await this.request(link, state, frame);
      else await this.response(link, state, frame);
  }

  private async request(link: Link, state: LinkState, frame: Buffer): Promise<void> {
    const request = parseRequest(frame);
    this.counts.set(request.api, this.count(request.api) + 1);
    const rule = [...this.rules].find((r) => r.takes(request));
    if (rule !== undefined && rule.isForResponses) state.faulty.set(request.correlationId, [rule, request]);
    else rule?.tell(request);
    const fault = rule?.fault;
    if (fault === 'swallow-request') return;
    if (fault === 'close-before-request') return close(link);
    if (fault === 'hold-request') await rule!.released;
    if (typeof fault === 'object' && 'delayRequest' in fault) await pause(fault.delayRequest);
    await write(link.server, frame);
    // The server's side is not torn down: the broker reads what it was sent.
    if (fault === 'close-after-request') link.client.destroy();
  }

  private async response(link: Link, state: LinkState, frame: Buffer): Promise<void> {
    const id = correlationIdOfResponse(frame);
    const [rule, request] = state.faulty.get(id) ?? [];
    state.faulty.delete(id);
    if (rule !== undefined) {
      rule.tell(request!);
      if (rule.fault === 'drop-response') return;
      if (rule.fault === 'close-instead-of-response') return close(link);
      if (rule.fault === 'hold-response') await rule.released;
      if (typeof rule.fault === 'object' && 'delayResponse' in rule.fault) await pause(rule.fault.delayResponse);
    }
    await write(link.client, frame);
  }
}

class LinkState {
  readonly requests = new FrameSplitter();
  readonly responses = new FrameSplitter();
  /** Requests under way whose response a rule waits for, by correlation id. */
  readonly faulty = new Map<number, [ActiveRule, KafkaRequest]>();
}

class ActiveRule implements Rule {
  hits = 0;
  readonly hit: Promise<KafkaRequest>;
  readonly released: Promise<void>;
  readonly isForResponses: boolean;
  tell!: (request: KafkaRequest) => void;
  release!: () => void;
  private seen = 0;

  constructor(
    private readonly api: number,
    readonly fault: KafkaFault,
    private readonly options: RuleOptions,
    private readonly forget: () => void,
  ) {
    this.hit = new Promise((resolve) => (this.tell = resolve));
    this.released = new Promise((resolve) => (this.release = resolve));
    this.isForResponses =
      FAULTS_OF_RESPONSES.includes(fault) || (typeof fault === 'object' && 'delayResponse' in fault);
  }

  takes(request: KafkaRequest): boolean {
    const { nth = 1, times = 1, where = () => true } = this.options;
    if (request.api !== this.api || !where(request)) return false;
    this.seen += 1;
    if (this.seen < nth || this.seen >= nth + times) return false;
    this.hits += 1;
    return true;
  }

  remove(): void {
    this.forget();
    this.release();
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
