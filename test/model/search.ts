/**
 * A breadth-first search of every interleaving. States are plain immutable objects of fixed shape; each component (a property, or an element of an array
 * property) is written as JSON once and numbered, so a state's key is a short list of numbers and equal components share memory.
 */
export interface Step<S> {
  /** Written only for a trace. */
  readonly label: () => string;
  readonly to: S;
}

export interface System<S> {
  readonly initial: S;
  next(state: S): Step<S>[];
  /** What is wrong with the state, or undefined. */
  violation(state: S): string | undefined;
}

export interface Limits<S> {
  readonly maxStates: number;
  /** Called on every new state; what it returns counts as a violation. */
  readonly probe?: (state: S) => string | undefined;
}

export interface Finding {
  readonly what: string;
  /** The shortest way there, one label a step. */
  readonly trace: readonly string[];
}

export interface Report {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** Whether every reachable state was seen. */
  readonly complete: boolean;
  readonly finding?: Finding;
}

export class Interner {
  private readonly numbers = new Map<string, number>();
  private readonly known = new WeakMap<object, number>();

  /** The same short string for equal states, and only for them. */
  key(state: object): string {
    let key = '';
    for (const component of Object.values(state) as unknown[]) {
      if (Array.isArray(component)) for (const element of component) key += this.number(element) + '.';
      else key += this.number(component);
      key += ',';
    }
    return key;
  }

  private number(value: unknown): number {
    if (typeof value !== 'object' || value === null) return this.lookUp(JSON.stringify(value));
    let number = this.known.get(value);
    if (number === undefined) {
      number = this.lookUp(JSON.stringify(value));
      this.known.set(value, number);
    }
    return number;
  }

  private lookUp(text: string): number {
    let number = this.numbers.get(text);
    if (number === undefined) this.numbers.set(text, (number = this.numbers.size));
    return number;
  }
}

export function search<S extends object>(system: System<S>, limits: Limits<S>): Report {
  const interner = new Interner();
  const keys = [interner.key(system.initial)];
  const seen = new Set(keys);
  const queue: (S | undefined)[] = [system.initial];
  const parent = [-1];
  const depth = [0];
  let transitions = 0;
  const report = (head: number, finding?: Finding): Report => ({
    states: keys.length,
    transitions,
    depth: depth[Math.min(head, depth.length - 1)],
    complete: finding === undefined && head >= queue.length,
    ...(finding && { finding }),
  });
  /** Walks the path again from the start: neither states nor labels are kept. */
  const trace = (end: number): string[] => {
    const path: number[] = [];
    for (let at = end; at > 0; at = parent[at]) path.push(at);
    let state = system.initial;
    return path.reverse().map((at) => {
      const step = system.next(state).find(({ to }) => interner.key(to) === keys[at])!;
      state = step.to;
      return step.label();
    });
  };
  for (let head = 0; head < queue.length; head++) {
    const state = queue[head]!;
    queue[head] = undefined;
    for (const { to } of system.next(state)) {
      transitions++;
      const key = interner.key(to);
      if (seen.has(key)) continue;
      seen.add(key);
      keys.push(key);
      parent.push(head);
      depth.push(depth[head] + 1);
      queue.push(to);
      const what = system.violation(to) ?? limits.probe?.(to);
      if (what !== undefined) return report(head, { what, trace: trace(queue.length - 1) });
    }
    if (keys.length >= limits.maxStates) return report(head);
  }
  return report(queue.length);
}

export function describeFinding(finding: Finding): string {
  return [finding.what, ...finding.trace.map((label, i) => `  ${String(i + 1).padStart(2)} ${label}`)].join('\n');
}
