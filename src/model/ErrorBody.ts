/** How an error of the gateway is written: its format, its body, its headers (`proxy-behaviour.md` §3.1). */
import { type ErrorTemplates, fillTemplate } from "./ErrorTemplate.ts"
import type { GatewayError } from "./GatewayError.ts"

export type ErrorFormat = "application/grpc" | "application/json" | "application/xml" | "text/html" | "text/plain"

const formats: Readonly<Record<string, ErrorFormat>> = {
  "application/grpc": "application/grpc",
  "application/json": "application/json",
  "application/xml": "application/xml",
  "text/html": "text/html",
  "text/plain": "text/plain",
  "application/*": "application/json",
  "text/*": "text/plain"
}

const mediaType = (value: string): string => (value.split(";", 1)[0] ?? "").trim().toLowerCase()

const qualityOf = (range: string): number => {
  const found = /;\s*q=([0-9.]+)/i.exec(range)
  const quality = found === null ? 1 : Number(found[1])
  return Number.isFinite(quality) ? quality : 0
}

/** The range with the highest quality, the first among equals; what nobody knows means JSON. */
const formatForAccept = (accept: string): ErrorFormat => {
  let best = ""
  let bestQuality = 0
  for (const range of accept.split(",")) {
    const quality = qualityOf(range)
    if (quality > bestQuality) {
      best = mediaType(range)
      bestQuality = quality
    }
  }
  return formats[best] ?? "application/json"
}

export interface Negotiation {
  readonly accept: string | undefined
  readonly contentType: string | undefined
  readonly defaultType: ErrorFormat
}

export const errorFormat = (kind: GatewayError["kind"], asked: Negotiation): ErrorFormat => {
  if (asked.accept !== undefined && asked.accept !== "") return formatForAccept(asked.accept)
  if (kind === "explicit") return "application/json"
  const fromContent = asked.contentType === undefined ? undefined : formats[mediaType(asked.contentType)]
  return fromContent ?? asked.defaultType
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}
const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? character)

const asJson = (text: string): string => JSON.stringify(text).slice(1, -1)

type Render = (message: string, id: string) => string

/** What turns message and request id into a body, for each format. */
export type ErrorRenderers = Readonly<Record<ErrorFormat, Render>>

const builtIn: ErrorRenderers = {
  "application/grpc": () => "",
  "application/json": (message, id) => `{\n  "message":${JSON.stringify(message)},\n  "request_id":"${id}"\n}`,
  "application/xml": (message, id) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>${escape(message)}</message>\n` +
    `  <requestid>${id}</requestid>\n</error>\n`,
  "text/html": (message, id) =>
    `<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n    <title>Error</title>\n  </head>\n  <body>\n` +
    `    <h1>Error</h1>\n    <p>${escape(message)}.</p>\n    <p>request_id: ${id}</p>\n  </body>\n</html>\n`,
  "text/plain": (message, id) => `${message}\nrequest_id: ${id}\n`
}

const templated = (template: string | undefined, escaped: (text: string) => string, preset: Render): Render =>
  template === undefined ? preset : (message, id) => fillTemplate(template, escaped(message), id)

/** Made once, when the proxy starts. */
export const errorRenderers = ({ html, json, xml, plain }: ErrorTemplates = {}): ErrorRenderers => ({
  "application/grpc": builtIn["application/grpc"],
  "application/json": templated(json, asJson, builtIn["application/json"]),
  "application/xml": templated(xml, escape, builtIn["application/xml"]),
  "text/html": templated(html, escape, builtIn["text/html"]),
  "text/plain": templated(plain, (text) => text, builtIn["text/plain"])
})

const grpcStatuses: Readonly<Record<number, number>> = {
  200: 0,
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  409: 6,
  429: 8,
  499: 1,
  500: 13,
  501: 12,
  503: 14,
  504: 4
}

export const grpcStatus = (status: number): number =>
  grpcStatuses[status] ?? (status >= 400 && status < 500 ? 3 : status >= 500 && status < 600 ? 13 : 2)

export interface RenderedError {
  /** Name after value. */
  readonly headers: ReadonlyArray<string>
  readonly body: string
}

export const renderError = (
  error: GatewayError,
  requestId: string,
  format: ErrorFormat,
  renderers: ErrorRenderers
): RenderedError => {
  const body = renderers[format](error.message, requestId)
  const contentType = format === "application/grpc" ? format : `${format}; charset=utf-8`
  const isGrpcTold = format !== "application/grpc" || error.headers.includes("grpc-status")
  return {
    body,
    headers: [
      ...["Content-Type", contentType],
      ...["Content-Length", String(Buffer.byteLength(body))],
      ...(isGrpcTold ? [] : ["grpc-status", String(grpcStatus(error.status)), "grpc-message", error.message]),
      ...error.headers
    ]
  }
}
