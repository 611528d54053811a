import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FolderLock } from '#adapters/files/folder-lock';
import type { Logger } from '#domain/ports';
import { MemberFile } from './member-file.js';

const info = vi.fn();
const logger = { debug: vi.fn(), info, warn: vi.fn(), error: vi.fn() } satisfies Logger;
const newFolder = (): string => mkdtempSync(join(tmpdir(), 'riverrun-member-'));
const open = (folder: string, app = 'app'): Promise<MemberFile> => MemberFile.open(folder, app, logger);

beforeEach(() => info.mockClear());

describe('the member file', () => {
  it('tells the next instance which member the one before was', async () => {
    const folder = join(newFolder(), 'not', 'there', 'yet');
    const first = await open(folder);
    expect(first.former()).toBeUndefined();
    first.write('member-1');
    first.write('member-2');
    first.close();
    const second = await open(folder);
    expect(second.former()).toBe('member-2');
    second.close();
    expect((await open(folder, 'other')).former()).toBeUndefined();
    expect(info).not.toHaveBeenCalled();
  });

  it('tells nothing of a member that lives: a second instance in the folder goes on without', async () => {
    const folder = newFolder();
    const first = await open(folder);
    first.write('member-1');
    const second = await open(folder);
    expect(second.former()).toBeUndefined();
    second.write('member-2');
    second.close();
    expect(info).toHaveBeenCalledOnce();
    first.close();
    expect((await open(folder)).former()).toBe('member-1');
  });

  it('goes to the next one when its holder has been killed', async () => {
    const folder = newFolder();
    const first = await open(folder);
    first.write('member-1');
    first.close();
    // The lock of a process that is no more, in the words of one that is.
    const lock = (await FolderLock.take(join(folder, 'member-app'))) as FolderLock;
    const dead = spawnSync(process.execPath, ['-e', 'process.stdout.write(String(process.pid))']).stdout.toString();
    const [name] = readdirSync(join(folder, 'member-app')).filter((file) => file.startsWith('lock.'));
    const path = join(folder, 'member-app', name);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"pid":\d+/, `"pid":${dead}`));
    expect((await open(folder)).former()).toBe('member-1');
    lock.release();
  });

  it('is done without where nothing can be written', async () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    const member = await open(file);
    member.write('member-1');
    expect(member.former()).toBeUndefined();
    member.close();
    expect(info).toHaveBeenCalledOnce();
  });
});
