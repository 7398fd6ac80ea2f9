/**
 * The survivors that stay, each with its reason. An entry is found by file, source line and mutation, exactly as the report
 * prints them; one that fits nothing, or that a test kills by now, fails the run.
 */
import type { Reasoned } from "./judge.ts"

const lamp = "scripts/mutation/canary/lamp.ts"
const intake = "src/model/session/intake.ts"
const link = "src/model/session/link.ts"
const step = "src/model/session/step.ts"

const license = "src/model/License.ts"
const tell = "src/layers/license/tell.ts"

const narrowing = "Only narrows the type: in any other phase the member is undefined, and compares as false."

const serviceKey = "A name: any does that no other service has."
const otherTag = "There are two tags, and the other one is asked for."
const moreLooks = "Saves looks: one more finds what the last one found, and changes nothing."

export const reasons: ReadonlyArray<Reasoned> = [
  {
    file: lamp,
    text: 'export const dark: Lamp = { isOn: false, uses: 0, colours: ["white", "red"] }',
    mutations: [
      '{ isOn: false, uses: 0, colours: ["white", "red"] } → {}',
      "0 → 1",
      '["white", "red"] → []',
      '["white", "red"] → ["red"]',
      '["white", "red"] → ["white"]',
      '"white" → ""',
      '"red" → ""'
    ],
    why: "Planted: the test looks at no member of it."
  },
  {
    file: lamp,
    text: "const count: Part = (lamp) => ({ ...lamp, uses: lamp.uses + 1 })",
    mutations: ["{ ...lamp, uses: lamp.uses + 1 } → { ...lamp }", "lamp.uses + 1 → lamp.uses - 1", "1 → 2"],
    why: "Planted: nothing counts the uses."
  },
  {
    file: lamp,
    text: "if (lamp.uses >= (limit ?? 1_000)) return lamp",
    mutations: [
      "lamp.uses >= (limit ?? 1_000) → false",
      "lamp.uses >= (limit ?? 1_000) → lamp.uses > (limit ?? 1_000)",
      "limit ?? 1_000 → limit && 1_000",
      "limit ?? 1_000 → limit",
      "limit ?? 1_000 → 1_000",
      "1_000 → 1001"
    ],
    why: "Planted: no lamp of the test is used up."
  },
  {
    file: lamp,
    text: "return sequence({ ...lamp, isOn: !lamp.isOn }, count)",
    mutations: [
      "sequence({ ...lamp, isOn: !lamp.isOn }, count) → sequence({ ...lamp, isOn: !lamp.isOn })",
      "{ ...lamp, isOn: !lamp.isOn } → { isOn: !lamp.isOn }"
    ],
    why: "Planted: the test looks at whether it is on, and at nothing else."
  },
  {
    file: lamp,
    text: "const pressed = lamps.map((lamp) => press(lamp))",
    mutations: ["(lamp) => press(lamp) → () => undefined"],
    why: "Planted: the test counts the lamps and looks at none."
  },
  {
    file: lamp,
    text: 'told.push("pressed")',
    mutations: ['told.push("pressed") → ;', '"pressed" → ""'],
    why: "Planted: nobody reads what is told."
  },
  {
    file: intake,
    text: "const known = state.refused.filter((name) => name !== content && name !== payload.digest)",
    mutations: ["name !== payload.digest → true"],
    why: "What is begun is not among the refused, and nothing is added while it is under way. Kept, for the list must hold each name once whoever begins what."
  },
  {
    file: intake,
    text: 'next.apply.phase === "retrying" && nowMs >= next.apply.retryAtMs',
    mutations: ['next.apply.phase === "retrying" → true'],
    why: narrowing
  },
  {
    file: intake,
    text: 'next.persist.phase === "retrying" && nowMs >= next.persist.retryAtMs',
    mutations: ['next.persist.phase === "retrying" → true'],
    why: narrowing
  },
  {
    file: "src/model/session/sequence.ts",
    text: "return more.length === 0 ? [next, actions] : [next, [...actions, ...more]]",
    mutations: ["more.length === 0 → false"],
    why: "Saves a copy of a list that nothing is added to; the copy is the same list."
  },
  {
    file: link,
    text: 'state.link.phase === "live" && nowMs >= state.link.pingAtMs ? ping(state, nowMs) : stay(state)',
    mutations: ['state.link.phase === "live" → true'],
    why: narrowing
  },
  {
    file: link,
    text: 'state.link.phase === "live" && state.link.settlesAtMs !== undefined && nowMs >= state.link.settlesAtMs',
    mutations: [
      'state.link.phase === "live" && state.link.settlesAtMs !== undefined → true',
      'state.link.phase === "live" && state.link.settlesAtMs !== undefined → state.link.phase === "live" || state.link.settlesAtMs !== undefined',
      'state.link.phase === "live" → true',
      "state.link.settlesAtMs !== undefined → true"
    ],
    why: "Only narrows the type: it is asked of live sessions, and what is undefined compares as false."
  },
  {
    file: step,
    text: 'case "stopped":',
    mutations: ['"stopped" → ""'],
    why: "The branch below it gives the member that this phase does not have: the same undefined. Named for the reader."
  },
  {
    file: step,
    text: 'apply.phase === "retrying" ? apply.retryAtMs : undefined,',
    mutations: ['apply.phase === "retrying" → true'],
    why: narrowing
  },
  {
    file: step,
    text: 'persist.phase === "retrying" ? persist.retryAtMs : undefined,',
    mutations: ['persist.phase === "retrying" → true'],
    why: narrowing
  },
  {
    file: "src/model/reconnectDelay.ts",
    text: "Math.min(capMs, backoffFirstCeilingMs * 2 ** Math.min(attempt, 40))",
    mutations: ["40 → 41"],
    why: "Keeps the power a number for any count of attempts. 2^40 times 10 s is beyond every cap, and so is the double."
  },
  {
    file: "src/model/FoundLicense.ts",
    text: 'return typeof value === "number" && Number.isFinite(value) ? value : Number.NEGATIVE_INFINITY',
    mutations: ['typeof value === "number" → true'],
    why: "Only narrows the type: nothing but a number is finite."
  },
  {
    file: "src/model/FoundLicense.ts",
    text: "if (a !== b) return a > b",
    mutations: ["a > b → a >= b"],
    why: "They differ, as the condition says."
  },
  {
    file: "src/model/FoundLicense.ts",
    text: "return textOf(one.id) > textOf(other.id)",
    mutations: ["textOf(one.id) > textOf(other.id) → textOf(one.id) >= textOf(other.id)"],
    why: "Two rows of one configuration never share an id."
  },
  {
    file: license,
    text: "} catch {",
    mutations: ["{ // The engine's words quote the text. return undefined } → {}"],
    why: "A function that ends without a word returns undefined as well."
  },
  {
    file: license,
    text: 'if (typeof text !== "string" || !/^\\d{4}-\\d{2}-\\d{2}$/.test(text) || text < "0001") return undefined',
    mutations: [
      'typeof text !== "string" || !/^\\d{4}-\\d{2}-\\d{2}$/.test(text) → false',
      'typeof text !== "string" || !/^\\d{4}-\\d{2}-\\d{2}$/.test(text) → typeof text !== "string" && !/^\\d{4}-\\d{2}-\\d{2}$/.test(text)',
      'typeof text !== "string" → false',
      "/^\\d{4}-\\d{2}-\\d{2}$/ → /\\d{4}-\\d{2}-\\d{2}$/",
      "/^\\d{4}-\\d{2}-\\d{2}$/ → /^\\d{4}-\\d{2}-\\d{2}/"
    ],
    why: "The way back from the instant to the text refuses the same. The shape is asked for first, for what else an engine reads as a date is its own affair."
  },
  {
    file: license,
    text: 'if (typeof text !== "string" || !/^\\d{4}-\\d{2}-\\d{2}$/.test(text) || text < "0001") return undefined',
    mutations: ['text < "0001" → text <= "0001"'],
    why: "No text of ten characters equals one of four."
  },
  {
    file: license,
    text: "...(expiresAtMs !== undefined && createdAtMs !== undefined && createdAtMs > expiresAtMs",
    mutations: [
      "expiresAtMs !== undefined && createdAtMs !== undefined → true",
      "expiresAtMs !== undefined && createdAtMs !== undefined → expiresAtMs !== undefined || createdAtMs !== undefined",
      "expiresAtMs !== undefined → true",
      "createdAtMs !== undefined → true"
    ],
    why: "Only narrows the type: an instant that is undefined compares as false."
  },
  {
    file: license,
    text: "if (faults.length > 0 || !isHex(signature) || expiresAtMs === undefined) return wrong(...faults)",
    mutations: ["expiresAtMs === undefined → false"],
    why: "Only narrows the type: without an expiry there is a fault."
  },
  {
    file: "src/model/SigningKey.ts",
    text: "} catch {",
    mutations: ["{ return undefined } → {}"],
    why: "A function that ends without a word returns undefined as well."
  },
  {
    file: "src/model/SigningKey.ts",
    text: "const blocks = pem.match(publicBlock) ?? []",
    mutations: ['[] → ["Stryker was here"]'],
    why: "No key can be read of that text either: the same answer."
  },
  {
    file: "src/model/LicenseStanding.ts",
    text: 'return nowMs < graceUntilMs ? ["grace", graceUntilMs] : ["expired", undefined]',
    mutations: ['["expired", undefined] → ["expired"]'],
    why: "What is read of a list beyond its end is undefined too."
  },
  {
    file: "src/model/KeptLicense.ts",
    text: "if (updatedAt === undefined || found.updatedAt === undefined) return false",
    mutations: [
      "updatedAt === undefined || found.updatedAt === undefined → false",
      "updatedAt === undefined || found.updatedAt === undefined → updatedAt === undefined && found.updatedAt === undefined",
      "updatedAt === undefined → false",
      "found.updatedAt === undefined → false"
    ],
    why: "Only narrows the type: a date that is undefined compares as false."
  },
  {
    file: "src/services/LicenseGuard.ts",
    text: '...standingOf({ _tag: "None" }, 0, { onExpiry: "stop", graceDays: 0 }),',
    mutations: ["0 → 1", '{ onExpiry: "stop", graceDays: 0 } → {}', '"stop" → ""'],
    why: "Where there is nothing to judge, neither the instant nor the policy takes part."
  },
  {
    file: "src/services/LicenseGuard.ts",
    text: '>()("holdfast/services/LicenseGuard") {',
    mutations: ['"holdfast/services/LicenseGuard" → ""'],
    why: serviceKey
  },
  {
    file: "src/layers/license/Memory.ts",
    text: "if (next === undefined || (next.text === kept?.text && next.updatedAt === kept?.updatedAt)) return Effect.void",
    mutations: ["kept?.updatedAt → kept.updatedAt"],
    why: "Only narrows the type: where nothing is kept, what comes next has a text, and is another."
  },
  {
    file: "src/layers/license/Memory.ts",
    text: 'if (kept !== undefined && found._tag === "Text" && outweighs(kept, found)) {',
    mutations: ['found._tag === "Text" → true'],
    why: "Only narrows the type: what is no text has no date, and nothing outweighs that."
  },
  {
    file: "src/layers/license/Holder.ts",
    text: 'if (result._tag === "Right") held = result.held',
    mutations: ['result._tag === "Right" → true'],
    why: "Only narrows the type: what is refused has no licence to hold."
  },
  {
    file: "src/layers/license/Holder.ts",
    text: 'return { _tag: "Right", held: undefined }',
    mutations: ['{ _tag: "Right", held: undefined } → {}', '"Right" → ""'],
    why: otherTag
  },
  {
    file: "src/layers/license/Judge.ts",
    text: 'return holders.some((holder) => holder.refused()?.isMissing === false) ? { _tag: "Malformed" } : { _tag: "None" }',
    mutations: ['{ _tag: "Malformed" } → {}', '"Malformed" → ""'],
    why: "What has no signature is judged as malformed whatever it is called."
  },
  {
    file: "src/layers/license/Judge.ts",
    text: "return { digest: decider?.held()?.license.digest, report: { ...standing, source: decider?.source, refused } }",
    mutations: ["decider?.held()?.license → decider?.held().license"],
    why: "Only narrows the type: the one who decides is one who holds something."
  },
  {
    file: "src/layers/license/WatchingLicenseGuard.ts",
    text: "SubscriptionRef.changes(state).pipe(",
    mutations: [
      "SubscriptionRef.changes(state).pipe( Stream.map(({ snapshot }) => snapshot), // The same table is worth more once the control plane has said it. Stream.changesWith((one, other) => one?.raw === other?.raw && one?.source === other?.source), Stream.runForEach(() => then) ) → SubscriptionRef.changes(state).pipe(Stream.map(({ snapshot }) => snapshot), Stream.runForEach(() => then))"
    ],
    why: moreLooks
  },
  {
    file: "src/layers/license/WatchingLicenseGuard.ts",
    text: "Stream.changesWith((one, other) => one?.raw === other?.raw && one?.source === other?.source),",
    mutations: [
      "(one, other) => one?.raw === other?.raw && one?.source === other?.source → () => undefined",
      "one?.raw === other?.raw && one?.source === other?.source → false"
    ],
    why: moreLooks
  },
  {
    file: "src/layers/license/WatchingLicenseGuard.ts",
    text: 'if (source === "configuration") yield* supervise("licence in the configuration", followConfig(lookAndRing))',
    mutations: ['source === "configuration" → true'],
    why: moreLooks
  },
  {
    file: tell,
    text: "const isLater = former.digest !== undefined && (former.report.expiresAtMs ?? 0) < (expiresAtMs ?? 0)",
    mutations: [
      "0 → 1",
      "former.report.expiresAtMs ?? 0 → former.report.expiresAtMs",
      "expiresAtMs ?? 0 → expiresAtMs"
    ],
    why: "A licence that decides has an expiry, long after 1970; beside one that is undefined every comparison is false."
  },
  {
    file: tell,
    text: '[isAnother && isThere && isLater, Effect.logInfo("licence renewed").pipe(Effect.annotateLogs(facts))],',
    mutations: ["isAnother && isThere → true", "isAnother && isThere → isAnother || isThere"],
    why: "What expires later is another licence, and there. Said for the reader."
  },
  {
    file: tell,
    text: 'isEntered && state === "expired" && stops,',
    mutations: ['state === "expired" → true'],
    why: "Only an expired licence stops anything. Said for the reader, beside the line that differs."
  },
  {
    file: tell,
    text: "const days = expiresAtMs === undefined ? undefined : dueWarning(licenseWarningDays, expiresAtMs, nowMs)",
    mutations: ["expiresAtMs === undefined → false"],
    why: "Only narrows the type: no warning day has been reached of an expiry that is undefined."
  },
  {
    file: tell,
    text: "if (digest === undefined || days === undefined || days === 0) return false",
    mutations: ["digest === undefined → false"],
    why: "Only narrows the type: where there are days to an expiry there is a licence."
  },
  {
    file: tell,
    text: "if (days >= (warned.get(digest) ?? Number.POSITIVE_INFINITY)) return false",
    mutations: ["warned.get(digest) ?? Number.POSITIVE_INFINITY → warned.get(digest)"],
    why: "Only narrows the type: beside undefined the comparison is false, as beside the largest number."
  },
  {
    file: tell,
    text: "Effect.all(linesOf(former, next, noteWarning(next, nowMs)), { discard: true })",
    mutations: ["{ discard: true } → {}", "true → false"],
    why: "Saves a list of results that nobody reads."
  },
  {
    file: tell,
    text: "expired: 4",
    mutations: ["4 → 5"],
    why: "Only the order counts, and it is the last."
  },
  {
    file: "src/layers/RefLiveConfig.ts",
    text: 'let warnedOf = ""',
    mutations: ['"" → "Stryker was here!"'],
    why: "Of nothing that is not served nothing is told, whatever was told before."
  },
  {
    file: "src/layers/RefLiveConfig.ts",
    text: "if (offer.hash === undefined || offer.hash !== running.hash) return false",
    mutations: ["offer.hash === undefined → false"],
    why: "Only narrows the type: what serves always has a hash."
  },
  {
    file: "src/layers/disk-cache/generations.ts",
    text: "[...found].sort((a, b) => (numberOf(b) ?? 0) - (numberOf(a) ?? 0)).map((name) => join(generations, name))",
    mutations: ["numberOf(b) ?? 0 → numberOf(b)", "numberOf(a) ?? 0 → numberOf(a)", "0 → 1"],
    why: "Only narrows the type: each of these names begins with a number."
  },
  {
    file: "src/layers/disk-cache/readCacheFile.ts",
    text: 'class Refusal extends Data.TaggedError("Refusal")<{',
    mutations: ['"Refusal" → ""'],
    why: "It is read where it is made, and nobody asks for its tag."
  },
  {
    file: "src/model/CachedTable.ts",
    text: "...(origin.epoch === undefined ? {} : { epoch: origin.epoch }),",
    mutations: ["origin.epoch === undefined → false"],
    why: "JSON has no member that is undefined."
  },
  {
    file: "src/model/CachedTable.ts",
    text: "...(origin.sequence === undefined ? {} : { sequence: origin.sequence }),",
    mutations: ["origin.sequence === undefined → false"],
    why: "JSON has no member that is undefined."
  },
  {
    file: "src/model/CachedTable.ts",
    text: 'return typeof value === "number" && Number.isFinite(value) ? value : undefined',
    mutations: ['typeof value === "number" → true'],
    why: "Only narrows the type: nothing but a number is finite."
  },
  {
    file: "src/model/CachedTable.ts",
    text: "return atMs === undefined || Number.isNaN(atMs) ? undefined : atMs",
    mutations: ["atMs === undefined → false"],
    why: "Only narrows the type: undefined is given back either way."
  },
  {
    file: "src/model/CachedTable.ts",
    text: 'const format = numberIn(provenance, "format") ?? 1',
    mutations: ["1 → 2"],
    why: "Readers of this version read both formats alike; the number says what a file without one is."
  },
  {
    file: "src/model/CachedTable.ts",
    text: 'if (former === undefined) return "unknown"',
    mutations: ['"unknown" → ""'],
    why: "Asked for are the other answers; this one names what is none of them."
  },
  {
    file: "src/model/CachedTable.ts",
    text: 'return former === hashTable(raw).config ? "fits roughly" : "differs"',
    mutations: ['"fits roughly" → ""'],
    why: "Asked for are the other answers; this one names what is none of them."
  },
  {
    file: "src/model/SourcePreference.ts",
    text: 'if (source === "empty") return preference.length + 1',
    mutations: ["1 → 2"],
    why: "Only the order counts, and it is the last."
  },
  {
    file: "src/services/LocalReload.ts",
    text: "return Effect.all(follows, { discard: true })",
    mutations: ["{ discard: true } → {}", "true → false"],
    why: "Saves a list of results that nobody reads."
  },
  {
    file: "src/model/TableContent.ts",
    text: 'const text = canonical._tag === "Right" ? canonical.text : asReadBack(JSON.stringify(raw))',
    mutations: ['canonical._tag === "Right" → false', '"Right" → ""'],
    why: "Saves a way through JSON and back: what has a canonical text has the same one after it."
  },
  {
    file: "src/services/askRemoteRungs.ts",
    text: "if (rungs.length === 0) return yield* Effect.never",
    mutations: ["rungs.length === 0 → false"],
    why: "Saves listening: where there is nobody to ask, nothing is ever due."
  }
]
