/** Injection tokens: explicit, because decorator metadata is off. */
export const CONFIG = Symbol('config');
export const SERVICES = Symbol('pipeline services');
export const REGISTRY = Symbol('model registry');
export const LIVE_FEED = Symbol('live feed');
export const PROMETHEUS = Symbol('prometheus registry');
export const HEALTH = Symbol('health');
export const TRAINER = Symbol('trainer');
export const LOGGER = Symbol('logger');
