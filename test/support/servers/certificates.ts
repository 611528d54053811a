/** A certificate authority for one test run, and certificates for a server on loopback and for a client, made by openssl. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './programs.js';

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  /** Key and certificate in one file, as Kafka wants them. */
  readonly serverPem: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

/** In `folder`, which is made. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  mkdirSync(folder, { recursive: true });
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Promise<string> => run('openssl', args);
  await openssl(
    'req',
    '-x509',
    ...EC,
    '-subj',
    '/CN=riverrun test CA',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.crt'),
  );
  for (const [name, extension] of [
    ['server', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ['client', 'extendedKeyUsage=clientAuth'],
  ])
    await openssl(
      ...[
        'req',
        '-x509',
        ...EC,
        '-subj',
        `/CN=${name}`,
        '-addext',
        extension,
        '-addext',
        'basicConstraints=critical,CA:FALSE',
      ],
      ...['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)],
    );
  const serverPem = file('server.pem');
  writeFileSync(serverPem, readFileSync(file('server.key'), 'utf8') + readFileSync(file('server.crt'), 'utf8'));
  return {
    ca: file('ca.crt'),
    serverCert: file('server.crt'),
    serverKey: file('server.key'),
    serverPem,
    clientCert: file('client.crt'),
    clientKey: file('client.key'),
  };
}
