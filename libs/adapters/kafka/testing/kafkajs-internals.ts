import { createRequire } from 'node:module';

/** kafkajs' own encoders and decoders, the oracle of the codec's tests. */
const require = createRequire(import.meta.url);
const load = <T>(file: string): T => require(`kafkajs/src/protocol/${file}`) as T;

export interface Encoder {
  readonly buffer: Buffer;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: number | bigint): Encoder;
  writeString(value: string | null): Encoder;
  writeBytes(value: Buffer | null): Encoder;
  writeArray(values: Encoder[]): Encoder;
  writeEncoder(value: Encoder): Encoder;
}
export const Encoder = load<new () => Encoder>('encoder');

type Request = (fields: object) => { encode(): Promise<Encoder> };
export const fetchRequest = load<Request>('requests/fetch/v11/request');

export interface StockFetchResponse {
  readonly errorCode: number;
  readonly clientSideThrottleTime: number;
  readonly responses: {
    readonly topicName: string;
    readonly partitions: {
      readonly partition: number;
      readonly errorCode: number;
      readonly highWatermark: string;
      readonly lastStableOffset: string;
      readonly lastStartOffset: string;
      readonly abortedTransactions: { readonly producerId: string; readonly firstOffset: string }[];
    }[];
  }[];
}
export interface StockProduceResponse {
  readonly topics: {
    readonly topicName: string;
    readonly partitions: { readonly partition: number; readonly errorCode: number; readonly baseOffset: string }[];
  }[];
}
type Response<T> = { decode(payload: Buffer): Promise<T> };
export const fetchResponse = load<Response<StockFetchResponse>>('requests/fetch/v11/response');
export const produceResponse = load<Response<StockProduceResponse>>('requests/produce/v7/response');

export const record = load<(fields: object) => Encoder>('recordBatch/record/v0');
export const { RecordBatch: recordBatch } = load<{ RecordBatch: (fields: object) => Promise<Encoder> }>(
  'recordBatch/v0',
);
export const stockCrc32c = load<(bytes: Uint8Array) => number>('recordBatch/crc32C');
