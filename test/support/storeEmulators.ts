/**
 * Stores of the three kinds as programs on this machine, which `scripts/emulators.ts` installs where it can:
 *
 * - *S3*: versitygw over a folder. Of the S3 servers that can be built from the public Go proxy it is one that honours
 *   `If-Match` and `If-None-Match`, checks signatures, and answers with S3's own codes.
 * - *Google Cloud Storage*: fake-gcs-server, the field's emulator. It knows generations and asks for no identity.
 * - *Azure*: Azurite, Microsoft's own. It knows conditions and checks shared keys.
 *
 * What they are not: the clouds. `docs/object-storage.md` says what was tested against what.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { BlobServiceClient, StorageSharedKeyCredential } from "@azure/storage-blob"
import type { StoreEnvironment, VendorLocation } from "../../src/layers/object-storage/vendorStore.ts"
import { freePort } from "./processes.ts"

export interface Emulator {
  readonly name: string
  /** Why it can't be run; `undefined` when it can. */
  readonly missing: string | undefined
  readonly start: () => Promise<RunningEmulator>
}

export interface RunningEmulator {
  readonly port: number
  /** The environment of a client that comes by way of this address: its own, or a proxy's. */
  readonly env: (port: number) => StoreEnvironment
  /** A bucket that is there. */
  readonly location: (prefix: string) => VendorLocation
  /** One that is not. */
  readonly nowhere: VendorLocation
  /** Whether it tells a reader so: fake-gcs-server says the same of bucket and object, which Google does not. */
  readonly tellsMissingBucket: boolean
  readonly stop: () => Promise<void>
}

const tools = resolve("tools/emulators")

const found = (name: string, variable: string): string | undefined => {
  const said = process.env[variable]
  const places = [join(tools, "bin", name), ...(said === undefined ? [] : [said])]
  const place = places.find((path) => existsSync(path))
  if (place !== undefined) return place
  return spawnSync(name, ["--help"], { stdio: "ignore" }).error === undefined ? name : undefined
}

const answers = (port: number): Promise<boolean> =>
  new Promise((settle) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      settle(true)
    })
    socket.once("error", () => settle(false))
  })

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

/** Listens once this returns, and leaves nothing behind when it is stopped. */
const launch = async (
  command: string,
  argsFor: (port: number, folder: string) => ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
) => {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), "holdfast-emulator-"))
  const child = spawn(command, argsFor(port, folder), { stdio: "ignore", env: { ...process.env, ...env }, cwd: folder })
  child.on("error", () => {})
  for (let tries = 0; !(await answers(port)); tries++) {
    if (ended(child) || tries > 300) throw new Error(`${command} does not listen`)
    await new Promise((settle) => setTimeout(settle, 100))
  }
  const stop = async (): Promise<void> => {
    const gone = new Promise((settle) => child.once("exit", settle))
    if (!ended(child)) {
      child.kill("SIGKILL")
      await gone
    }
    rmSync(folder, { recursive: true, force: true })
  }
  return { port, folder, stop }
}

const bucket = "holdfast-test"
const missingBucket = "holdfast-none"

const versitygw = found("versitygw", "HOLDFAST_VERSITYGW")
const aws = { AWS_ACCESS_KEY_ID: "holdfast", AWS_SECRET_ACCESS_KEY: "of-the-emulator-alone" }

const s3: Emulator = {
  name: "S3 (versitygw)",
  missing: versitygw === undefined ? "there is no versitygw" : undefined,
  start: async () => {
    const { port, stop } = await launch(
      versitygw ?? "",
      (own, folder) => {
        mkdirSync(join(folder, "data"))
        mkdirSync(join(folder, "side"))
        return [
          "--port",
          `127.0.0.1:${own}`,
          "--quiet",
          "posix",
          "--sidecar",
          join(folder, "side"),
          join(folder, "data")
        ]
      },
      { ROOT_ACCESS_KEY: aws.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: aws.AWS_SECRET_ACCESS_KEY }
    )
    const credentials = { accessKeyId: aws.AWS_ACCESS_KEY_ID, secretAccessKey: aws.AWS_SECRET_ACCESS_KEY }
    const endpoint = `http://127.0.0.1:${port}`
    const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials })
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    client.destroy()
    return {
      port,
      stop,
      env: (at) => ({ ...aws, AWS_CONFIG_STORAGE_ENDPOINT: `http://127.0.0.1:${at}/` }),
      location: (prefix) => ({ kind: "s3", bucket, prefix }),
      nowhere: { kind: "s3", bucket: missingBucket, prefix: "" },
      tellsMissingBucket: true
    }
  }
}

const fakeGcs = found("fake-gcs-server", "HOLDFAST_FAKE_GCS_SERVER")

const gcs: Emulator = {
  name: "Google Cloud Storage (fake-gcs-server)",
  missing: fakeGcs === undefined ? "there is no fake-gcs-server" : undefined,
  start: async () => {
    const { port, stop } = await launch(fakeGcs ?? "", (own) => [
      ...["-scheme", "http", "-host", "127.0.0.1", "-port", String(own), "-backend", "memory", "-log-level", "error"]
    ])
    const made = await fetch(`http://127.0.0.1:${port}/storage/v1/b?project=test`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: bucket })
    })
    if (!made.ok) throw new Error(`fake-gcs-server makes no bucket: ${await made.text()}`)
    return {
      port,
      stop,
      env: (at) => ({ GCP_CONFIG_STORAGE_ENDPOINT: `http://127.0.0.1:${at}` }),
      location: (prefix) => ({ kind: "gcs", bucket, prefix }),
      nowhere: { kind: "gcs", bucket: missingBucket, prefix: "" },
      tellsMissingBucket: false
    }
  }
}

const azuriteFile = join(tools, "node_modules", "azurite", "dist", "src", "blob", "main.js")

/** Published by Microsoft: every Azurite has this account and this key. */
const account = "devstoreaccount1"
const accountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

const azure: Emulator = {
  name: "Azure Blob Storage (Azurite)",
  missing: existsSync(azuriteFile) ? undefined : "there is no Azurite in tools/emulators",
  start: async () => {
    const { port, stop } = await launch(process.execPath, (own) => [
      azuriteFile,
      ...["--blobHost", "127.0.0.1", "--blobPort", String(own)],
      ...["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    ])
    const urlAt = (at: number) => `http://127.0.0.1:${at}/${account}`
    const credential = new StorageSharedKeyCredential(account, accountKey)
    await new BlobServiceClient(urlAt(port), credential).getContainerClient(bucket).create()
    return {
      port,
      stop,
      env: (at) => ({ AZURE_STORAGE_KEY: accountKey, AZURE_CONFIG_STORAGE_ENDPOINT: urlAt(at) }),
      location: (prefix) => ({ kind: "azure", account, container: bucket, prefix }),
      nowhere: { kind: "azure", account, container: missingBucket, prefix: "" },
      tellsMissingBucket: true
    }
  }
}

export const emulators: ReadonlyArray<Emulator> = [s3, gcs, azure]
