/** Why a WebSocket is closed (RFC 6455 §7.4.1), as far as it is told here. */
export const normalClosure = 1000
export const goingAway = 1001
export const protocolError = 1002
export const policyViolation = 1008
export const internalError = 1011
export const tryAgainLater = 1013
