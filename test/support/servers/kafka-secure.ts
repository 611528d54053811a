/** A broker of a test's own with TLS, mutual TLS, SASL, and SASL over TLS beside its plain listener. */
import { rmSync } from 'node:fs';
import { makeCertificates, type Certificates } from './certificates.js';
import { startKafka, type KafkaOptions, type OwnKafka } from './kafka.js';
import { freePorts } from './ports.js';
import { serverFolder } from './server-process.js';

export interface SecureKafka extends OwnKafka {
  readonly tls: string[];
  /** Wants a client's certificate too. */
  readonly mutualTls: string[];
  /** PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 for `user`. */
  readonly sasl: string[];
  readonly saslTls: string[];
  readonly certificates: Certificates;
  readonly user: { readonly username: string; readonly password: string };
}

const USER = { username: 'alice', password: 'alice-secret' };
const SECURITY = 'org.apache.kafka.common.security';
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

export async function startSecureKafka(options: KafkaOptions = {}): Promise<SecureKafka> {
  const folder = serverFolder('certificates');
  const certificates = await makeCertificates(folder);
  const ports = await freePorts(4);
  const addresses = ports.map((port) => [`127.0.0.1:${port}`]);
  const sasl = ['SASL', 'SASLTLS'].map((name) => [
    [`listener.name.${name.toLowerCase()}.sasl.enabled.mechanisms`, MECHANISMS.join(',')],
    [
      `listener.name.${name.toLowerCase()}.plain.sasl.jaas.config`,
      `${SECURITY}.plain.PlainLoginModule required user_${USER.username}="${USER.password}";`,
    ],
    ...['256', '512'].map((bits) => [
      `listener.name.${name.toLowerCase()}.scram-sha-${bits}.sasl.jaas.config`,
      `${SECURITY}.scram.ScramLoginModule required;`,
    ]),
  ]);
  const kafka = await startKafka({
    ...options,
    listeners: [
      { name: 'TLS', protocol: 'SSL', port: ports[0] },
      { name: 'MTLS', protocol: 'SSL', port: ports[1] },
      { name: 'SASL', protocol: 'SASL_PLAINTEXT', port: ports[2] },
      { name: 'SASLTLS', protocol: 'SASL_SSL', port: ports[3] },
    ],
    format: ['256', '512'].flatMap((bits) => [
      '--add-scram',
      `SCRAM-SHA-${bits}=[name=${USER.username},password=${USER.password}]`,
    ]),
    config: {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': certificates.serverPem,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': certificates.ca,
      'listener.name.mtls.ssl.client.auth': 'required',
      ...(Object.fromEntries(sasl.flat()) as Record<string, string>),
      ...options.config,
    },
  });
  const [tls, mutualTls, plainSasl, saslTls] = addresses;
  return {
    ...kafka,
    tls,
    mutualTls,
    sasl: plainSasl,
    saslTls,
    certificates,
    user: USER,
    stop: async () => {
      await kafka.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
