/** The messages of OCSP (RFC 6960) about one certificate: the question, and what of the answer counts. */
import { createHash, type X509Certificate } from "node:crypto"
import {
  BasicOCSPResponse,
  CertID,
  id_pkix_ocsp_basic,
  OCSPRequest,
  OCSPResponse,
  OCSPResponseStatus,
  Request,
  type SingleResponse,
  TBSRequest
} from "@peculiar/asn1-ocsp"
import { AsnConvert, OctetString } from "@peculiar/asn1-schema"
import { AlgorithmIdentifier, Certificate } from "@peculiar/asn1-x509"

/** A certificate, and the authority's that issued it. */
export interface Subject {
  readonly leaf: X509Certificate
  readonly issuer: X509Certificate
}

/** What every responder understands; nothing depends on it being hard to collide. */
const idHash = { oid: "1.3.14.3.2.26", name: "sha1" }

const digest = (bytes: ArrayBuffer): OctetString =>
  new OctetString(createHash(idHash.name).update(Buffer.from(bytes)).digest())

const certificateId = ({ leaf, issuer }: Subject): CertID => {
  const { tbsCertificate } = AsnConvert.parse(leaf.raw, Certificate)
  const issuerKey = AsnConvert.parse(issuer.raw, Certificate).tbsCertificate.subjectPublicKeyInfo
  return new CertID({
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: idHash.oid, parameters: null }),
    issuerNameHash: digest(AsnConvert.serialize(tbsCertificate.issuer)),
    issuerKeyHash: digest(issuerKey.subjectPublicKey),
    serialNumber: tbsCertificate.serialNumber
  })
}

export const encodeQuestion = (subject: Subject): Uint8Array =>
  new Uint8Array(
    AsnConvert.serialize(
      new OCSPRequest({
        tbsRequest: new TBSRequest({ requestList: [new Request({ reqCert: certificateId(subject) })] })
      })
    )
  )

/** An answer whose signature nobody has looked at yet. */
export interface Answer {
  readonly signed: Uint8Array
  readonly signature: Uint8Array
  readonly algorithm: string
  /** DER of the certificates that came along. */
  readonly certificates: ReadonlyArray<Uint8Array>
  readonly statuses: ReadonlyArray<SingleResponse>
}

/** Throws what the answer is instead of one. */
export const decodeAnswer = (bytes: Uint8Array): Answer => {
  const { responseStatus, responseBytes } = AsnConvert.parse(bytes, OCSPResponse)
  if (responseStatus !== OCSPResponseStatus.successful)
    throw new Error(`the responder says ${OCSPResponseStatus[responseStatus] ?? responseStatus}`)
  if (responseBytes?.responseType !== id_pkix_ocsp_basic) throw new Error("the answer is of an unknown type")
  const basic = AsnConvert.parse(responseBytes.response.buffer, BasicOCSPResponse)
  if (basic.tbsResponseDataRaw === undefined) throw new Error("the answer can't be read")
  return {
    signed: new Uint8Array(basic.tbsResponseDataRaw),
    signature: new Uint8Array(basic.signature),
    algorithm: basic.signatureAlgorithm.algorithm,
    certificates: (basic.certs ?? []).map((certificate) => new Uint8Array(AsnConvert.serialize(certificate))),
    statuses: basic.tbsResponseData.responses
  }
}

const hex = (bytes: ArrayBuffer): string => Buffer.from(bytes).toString("hex")

const idText = ({ hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber }: CertID): string =>
  [hashAlgorithm.algorithm, hex(issuerNameHash.buffer), hex(issuerKeyHash.buffer), hex(serialNumber)].join(" ")

/** What the answer says of the certificate that was asked about. */
export const statusOf = (answer: Answer, subject: Subject): SingleResponse | undefined => {
  const asked = idText(certificateId(subject))
  return answer.statuses.find(({ certID }) => idText(certID) === asked)
}
