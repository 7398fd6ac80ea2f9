/** An OCSP responder of a test's own: real messages, real signatures, and whatever lie a test wants. */
import { sign } from "node:crypto"
import { createServer } from "node:http"
import {
  BasicOCSPResponse,
  CertStatus,
  id_pkix_ocsp_basic,
  KeyHash,
  OCSPRequest,
  OCSPResponse,
  OCSPResponseStatus,
  ResponderID,
  ResponseBytes,
  ResponseData,
  RevokedInfo,
  SingleResponse
} from "@peculiar/asn1-ocsp"
import { AsnConvert, OctetString } from "@peculiar/asn1-schema"
import { AlgorithmIdentifier, Certificate } from "@peculiar/asn1-x509"
import { Effect } from "effect"
import type { Authority } from "./pki.ts"

export interface AnswerOptions {
  readonly signer: Authority
  readonly status: "good" | "revoked" | "unknown"
  readonly thisUpdate?: Date
  readonly nextUpdate?: Date
  /** Sends the signer's certificate along, as an appointed responder does. */
  readonly isAppointed?: boolean
  /** Changes the signed bytes after they were signed. */
  readonly isForged?: boolean
}

export const revokedAt = new Date("2026-01-02T03:04:05Z")
const hourMs = 3_600_000
const ecdsaWithSha256 = "1.2.840.10045.4.3.2"

const statuses = {
  good: () => new CertStatus({ good: null }),
  revoked: () => new CertStatus({ revoked: new RevokedInfo({ revocationTime: revokedAt }) }),
  unknown: () => new CertStatus({ unknown: null })
}

/** Answers whatever certificate the question is about. */
export const answer = (question: Uint8Array, options: AnswerOptions): Uint8Array => {
  const { signer, status, thisUpdate, nextUpdate, isAppointed, isForged } = options
  const asked = AsnConvert.parse(question, OCSPRequest).tbsRequest.requestList.map(({ reqCert }) => reqCert)
  const data = new ResponseData({
    responderID: new ResponderID({ byKey: new KeyHash(new Uint8Array(20)) }),
    producedAt: new Date(),
    responses: asked.map(
      (certID) =>
        new SingleResponse({
          certID,
          certStatus: statuses[status](),
          thisUpdate: thisUpdate ?? new Date(Date.now() - hourMs),
          nextUpdate: nextUpdate ?? new Date(Date.now() + hourMs)
        })
    )
  })
  const signed = Buffer.from(AsnConvert.serialize(data))
  const basic = new BasicOCSPResponse({
    tbsResponseData: isForged === true ? new ResponseData({ ...data, producedAt: new Date(0) }) : data,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 }),
    signature: new Uint8Array(sign("sha256", signed, signer.key)).buffer,
    ...(isAppointed === true ? { certs: [AsnConvert.parse(signer.certificate.rawData, Certificate)] } : {})
  })
  const response = new OCSPResponse({
    responseStatus: OCSPResponseStatus.successful,
    responseBytes: new ResponseBytes({
      responseType: id_pkix_ocsp_basic,
      response: new OctetString(AsnConvert.serialize(basic))
    })
  })
  return new Uint8Array(AsnConvert.serialize(response))
}

export const refusal = (status: OCSPResponseStatus): Uint8Array =>
  new Uint8Array(AsnConvert.serialize(new OCSPResponse({ responseStatus: status })))

export interface Heard {
  readonly method: string | undefined
  readonly type: string | undefined
}

/** Answers each question as the test says, or never. */
export const responder = Effect.fnUntraced(function* (
  reply: (question: Uint8Array) => { readonly status: number; readonly body: Uint8Array } | "silence"
) {
  const heard: Array<Heard> = []
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      heard.push({ method: request.method, type: request.headers["content-type"] })
      const said = reply(Buffer.concat(chunks))
      if (said !== "silence") response.writeHead(said.status).end(said.body)
    })
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as { readonly port: number }).port)))
    }),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  return { url: `http://127.0.0.1:${port}/ocsp`, heard }
})
