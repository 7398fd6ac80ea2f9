/**
 * What every event means and what to do about it. The only part of `docs/events.md` that is written by hand: the test of
 * the documents fails when an event has no meaning here, and when a meaning has no event.
 */
export type Plane = "data plane" | "control plane" | "both planes"

export interface Meaning {
  readonly plane: Plane
  readonly meaning: string
}

const dp = (meaning: string): Meaning => ({ plane: "data plane", meaning })
const cp = (meaning: string): Meaning => ({ plane: "control plane", meaning })
const both = (meaning: string): Meaning => ({ plane: "both planes", meaning })

export const eventMeanings: Readonly<Record<string, Meaning>> = {
  "data plane started": dp("Every listener is open. Whether there is a configuration to serve is another event."),
  draining: dp("A signal came: no new connections; requests in flight have `drain_timeout` seconds."),
  drained: dp("Nothing is in flight any more, or the time for it is over."),
  "asked to drain: not ready until the next start": dp(
    "Somebody posted to `/status/ready`: the node answers that it is not ready, and goes on serving."
  ),
  "telemetry is delivered": dp(
    "The control plane acknowledged a batch, for the first time or again; `spooled` is what still waits."
  ),
  "telemetry can't be delivered; it waits on this node": dp(
    "Nothing is acknowledged, because of `cause`. Told once; it is tried again for ever, and nothing else waits for it. The status says what is spooled."
  ),
  "telemetry stays on this node": dp(
    "There is nobody who takes it, because of `reason`: a control plane of Kong's, or an older one. It is asked again every five minutes, but not with `konnect_mode`."
  ),
  "telemetry not stored": cp(
    "The store failed (`cause`), a full disk say. Nothing of the batch was taken; the node keeps it and sends it again."
  ),
  "telemetry connection failed": cp("A defect of Holdfast's own; the node connects again. Please report it."),
  "configuration serves": dp("A new configuration answers requests from this moment on; `source` says where from."),
  "the configuration has no route left; every request is answered 404": dp(
    "There were routes before (`routesBefore`), and what came now has none. It serves, for a node does what it is told; far more often than a wish it is a broken pipeline."
  ),
  "configuration served with a difference": dp(
    "The configuration serves, but one thing in it is done otherwise than written, or skipped: see `difference`."
  ),
  "configuration rejected; the running one stays": dp(
    "A configuration is wrong; every reason is in `reasons`. Mend it at its source: the same bytes are not tried again."
  ),
  "configuration exported": both(
    "It lies in object storage (`place`), read back and compared. `wrote` names the objects: what lay there already is not written again."
  ),
  "configuration can't be exported; trying again": both(
    "The store does not do what it should (`cause`, in its own words). Told once, until an export works; it is tried again for ever, with pauses of up to a minute. With `trouble` denied, misconfigured or unsupported a person has to mend it. The status says how often it was tried."
  ),
  "configuration can't be exported": both(
    "The configuration can't be written down at all (`cause`): too large, say. The next one is tried."
  ),
  "stopping without the export that is owed": both(
    "The node stops, and its newest configuration does not lie in object storage (`cause`). The next exporter that gets it writes it, this node at its next start at the latest."
  ),
  "configuration not exported: a newer one lies there": both(
    "Another exporter was quicker, and what it wrote stays (`reason`). Should it be newer for no good reason, a clock in the future say, delete the object."
  ),
  "configuration not exported": both(
    "What lies in object storage stays (`reason`): it is in a newer Holdfast's format; it is encrypted, and this exporter does not encrypt; or this configuration is empty and nothing of the same epoch lies there, as after a start with an empty store."
  ),
  "an object that said nothing of use was replaced by the export": both(
    "What lay under `key` was torn, altered, signed by nobody who is trusted, or no configuration (`reason`). Find out who wrote it: whoever may write there decides what new nodes are offered."
  ),
  "entities that are kept but not served": dp(
    "The configuration holds entities of Kong's that Holdfast has no use for. They stay in the cache and do nothing."
  ),
  "no configuration at hand; every request is answered 404 until one arrives": dp(
    "Neither cache nor declarative file had anything. The node is not ready."
  ),
  "ladder: climbed": dp(
    "The node's configuration comes from a better source than before (`from`, `to`). `passedOver` says of each source at least as good as `to` that was asked why it does not serve, or not with all that it had."
  ),
  "ladder: fell": dp(
    "The configuration comes from a worse source than before, because a person put it there while the control plane was away."
  ),
  "configuration left aside: something better serves": dp(
    "A source had something, but a better one was quicker. Nothing is wrong with it."
  ),
  "asking a source of configurations failed; the next one is asked": dp(
    "A defect of Holdfast's own in one source; the others are asked all the same. Please report it."
  ),
  "refused cache file is kept in quarantine": dp(
    "A file of the cache was refused (at `step`) and stands in `keptAs`, its reasons in the `.reason.txt` beside it. After a look at it, the command in `mend` makes a valid cache of it. See `cache-file.md`."
  ),
  "refused cache file can't be put into quarantine, and stays": dp(
    "The prefix can't be written. The file is refused again at the next start."
  ),
  "an older configuration became the current cache file": dp(
    "The cache file was refused, and the one before it (`older`) serves and has taken its place. Its age is in the status; the control plane's next configuration replaces it."
  ),
  "an older configuration serves; the refused cache file stays in its place": dp(
    "The cache file was refused, but may be good: another version wrote it, or it can't be read here and now. The older one serves until the next start."
  ),
  "an older configuration serves but can't become the current cache file": dp(
    "The prefix can't be written. The older configuration serves; the next start looks for it again."
  ),
  "the former configuration can't be kept beside the new one": dp(
    "The newest configuration is cached; what was before it could not be kept in `generations`. Told once while that is so."
  ),
  "cache files can't be protected anew": dp(
    "They serve, but could not be written anew under the present key: keep the former one until the prefix can be written."
  ),
  "declarative file not read again: something better serves": dp(
    "The file was reloaded, but a better source serves; the file would count only without it."
  ),
  "cache file changed by hand": dp("Somebody edited or replaced the cache file; it is read again."),
  "cache file changed by hand is left alone while the control plane is connected": dp(
    "An edit of the cache counts only while the control plane is away: its next configuration would overwrite it."
  ),
  "SIGHUP: looking at the files again": dp("A reload was asked for by signal."),
  "SIGHUP ignored: there is no file to reload": both("A reload was asked for, and nothing here comes from a file."),
  "configuration cached": dp("The configuration is on disk, flushed."),
  "nothing is owed to the disk any more: something else serves": dp(
    "A configuration that could not be cached gave way to one that stands where it belongs."
  ),
  "configuration cached at last": dp("It could not be cached at first; now it is on disk."),
  "configuration can't be taken just now; trying again": dp(
    "Memory is short. What serves goes on; the same configuration is tried again with growing pauses, until it works or a newer one comes."
  ),
  "reconnect policy failed": dp(
    "An embedder's reconnect policy threw; the delay before is waited again, or 10 s when there was none."
  ),
  "configurations are signed": cp(
    "`config_signing_key` is set: what goes to data planes and into object storage carries the signature of `key`."
  ),
  "the newest configuration that was seen is not known any more": dp(
    "`newest.kept` says nothing that this node could have written (`reason`): until a configuration is believed again, one that is older than those before it would be, if it is signed."
  ),
  "which configuration is the newest can't be kept": dp(
    "The prefix can't be written (`cause`). It holds until the process ends that nothing older is believed."
  ),
  "cached configurations are encrypted with the newest key": dp(
    "Everything in the cache is under the key that `key` names: former keys may go. Told at the start and after each change of the key."
  ),
  "cached configurations are in plain": dp(
    "`config_cache_encryption` is off and keys are set: everything in the cache is in plain now, and they may go."
  ),
  "cached configurations that no key reads are left as they are": dp(
    "Told in place of `… are encrypted with the newest key` and `… are in plain`: the rest is under `key`, or in plain without one. `files` says what is wrong with each, `asksFor` which keys would read them: keep those, or name them in `config_cache_key_file`, `config_cache_key` or `cluster_cert_key_previous`. What is damaged no key reads; newer configurations take its place."
  ),
  "cached configurations can't be written anew; trying again": dp(
    "The key of the cache changed, or encryption was switched on or off, and the disk refuses: do not take the former key away yet."
  ),
  "configuration serves but can't be cached; trying again": dp(
    "The disk is full or the prefix can't be written. Traffic is fine; a restart now would start from older data."
  ),
  "configuration serves but is still being cached": dp(
    "The disk has not answered for 5 s. Traffic is fine, and the next configuration is taken; a restart now would start from older data."
  ),
  "applying a configuration failed": dp(
    "A defect of Holdfast's own; the running configuration stays. Please report it."
  ),
  "message of an unknown type ignored": dp("The control plane sent something that this version doesn't know."),
  "text frame ignored": dp("The control plane sent a text frame; the protocol has none."),
  "node id can't be kept; this run has one of its own": dp(
    "The prefix can't be written: after a restart the control plane sees another node."
  ),
  "what had waited for the disk failed": dp(
    "The node had started without this part of it, for the disk did not answer; the answer came, and a bug showed."
  ),
  "wall clock differs from the trusted time; not believed yet": dp(
    "The machine's clock jumped, it was suspended, or the node was off for long. Licences and ages go by the trusted time meanwhile; nothing else notices. A clock that flaps is told once in ten minutes."
  ),
  "wall clock agrees with the trusted time again": dp("The machine's clock came back by itself: nothing was changed."),
  "wall clock believed": dp(
    "The trusted time was corrected by `bySeconds`, for the clock agreed with itself for ten minutes or a control plane confirmed it (`because`)."
  ),
  "kept time can't be read; the wall clock is believed": dp(
    "`<prefix>/clock.json` is damaged or unreadable: this start believes the clock that it finds. The file is written anew."
  ),
  "trusted time can't be kept; a restart believes the clock that it finds": dp(
    "The prefix can't be written. Told once; it is tried again every minute."
  ),
  "licence found": dp("A licence decides from now on; `source` says where it stands, `state` how it stands."),
  "licence renewed": dp("A licence that lasts longer took the place of the one before."),
  "licence is gone; nothing is restricted": dp(
    "The licence was taken away at its source, and no other source has one. A node without a licence serves."
  ),
  "licence expires soon": dp("Told 90, 30, 16, 7 and 1 days before, once for each licence. Renew it."),
  "licence expired; it counts on for its days of grace": dp(
    "`license_grace_days` hold until `graceUntil`; a restart changes nothing about that. Renew the licence."
  ),
  "licence expired; every request is answered 503": dp(
    "The node stays connected and serves again within a second of a renewed licence. `license_on_expiry=warn` serves on."
  ),
  "licence expired; serving goes on, for license_on_expiry is warn": dp("Nothing is restricted. Renew the licence."),
  "licence counts again, for the clock was set back": dp(
    "What the node believes of the time has changed: a licence that had gone further is back at an earlier state."
  ),
  "requests are served again": dp("The licence no longer stops the node."),
  "licence refused; what stood before it stays": dp(
    "What stands at `source` is no licence, or its signature is wrong; every reason is in `reasons`, no value of it. Told once."
  ),
  "licence of an older configuration left aside": dp(
    'The configuration that serves comes from `source`, and its licence is not the newest that the node was given: what stands in `file` counts, or none, for the control plane took it away. See `licences.md`, "Kept apart". Told once for each.'
  ),
  "licence can't be kept apart; trying again": dp(
    "The prefix can't be written. Should the newest configuration be damaged later on, an older one comes back with the licence that it had. Told once; tried again every minute."
  ),
  "kept licence can't be read; going on without it": dp(
    "`<prefix>/license.kept` is damaged, encrypted with a key that is not there, or can't be read: the licence of the configuration that serves counts. The next one is written over it."
  ),
  "there is no licence where one was said to be": dp("`license_path` names a file that does not exist."),
  "control plane connected": dp("The session is open; the newest configuration follows."),
  "control plane lost; serving goes on": dp(
    "The session ended. The node serves from memory and dials again, for ever."
  ),
  "control plane can't be reached; serving goes on": dp("The first attempt since the start failed; the node dials on."),
  "control plane still away; serving goes on": dp("A summary, every five minutes while that is so."),
  "dial failed": dp("One attempt of many."),
  "a request failed on a defect": dp("A defect of Holdfast's own cost one request a 500. Please report it."),
  "a certificate can't be used; the default one is shown instead": dp(
    "A configured certificate does not load; clients of its names see the default one."
  ),
  "a proxy listener has trouble": dp(
    "The system refused something of a listening socket: too many open files, mostly."
  ),
  "<name> failed; starting it again": both(
    "A part of the process failed on a defect and was started again, with growing pauses. Please report it."
  ),
  "an observer of requests failed": dp(
    "What hears of finished requests threw; the request itself was answered. Please report it."
  ),
  "unknown settings, perhaps misspelt": both("`HOLDFAST_…` variables that mean nothing."),
  "setting not served": both(
    "A setting that matters is understood and not served, or means nothing in this role: see `setting`."
  ),
  "plugins that are not known here are not enabled": both(
    "The setting `plugins` names some that this program doesn't have: see `plugins`. A configuration that uses one is refused."
  ),
  "settings of Kong's that mean nothing here": both("`KONG_…` variables and lines of the file that have no effect."),
  "cluster certificate expires soon": both(
    "30, 7 and 1 days before its end. Replace the files of `cluster_cert` and `cluster_cert_key`; no restart is needed."
  ),
  "cluster certificate expired; the peer will refuse it": both(
    "Sessions that stand stay; no new one begins until the certificate is renewed. A data plane serves what it has."
  ),
  "cluster credentials replaced; the next connection uses them": both(
    "Certificate or authorities changed on disk and are in use. In the shared mode the former certificate counts for `former_counts_for_seconds` more."
  ),
  "changed cluster credentials can't be used; the former ones stay": both(
    "A file changed and is wrong, a certificate waits for its key, or it is not valid yet. Nothing was taken over; the files are looked at again when one of them changes, and every 30 seconds."
  ),
  "former cluster certificate counts no longer": both(
    "`cluster_cert_overlap` is over. Who still has the former certificate can't connect any more."
  ),
  "access log lines are lost": dp(
    "The access log can't be written, or not as fast as requests come: `cause` says why. Requests go on; holdfast_access_log_dropped_total counts."
  ),
  "access log is written again": dp("That is over; so many lines are `lost`."),
  "telemetry can't be delivered to the collector": dp(
    "Spans or metrics don't reach `endpoint`: `cause` says why. It is tried again; what finds no room meanwhile is counted in holdfast_spans_dropped_total."
  ),
  "telemetry is delivered to the collector again": dp("That is over."),
  "SIGUSR1: opening the access log anew": dp("Somebody, logrotate for example, moved the file away."),
  "control plane ready": cp("The admin API and the cluster listener are open."),
  "configuration pushed": cp("A change went out to the connected data planes."),
  "push failed; trying again": cp("The newest configuration could not be made; nothing is forgotten."),
  "data plane connected": cp("A node joined; it is sent the whole configuration."),
  "data plane disconnected": cp("A session ended; `reason` says how."),
  "data plane let in, though nobody can say whether its certificate was revoked": cp(
    "`cluster_ocsp=optional`: the responder could not be asked, or its answer is worth nothing (`reason`)."
  ),
  "a neighbour takes the configuration from this node": dp(
    "Somebody with a certificate of the cluster was given what serves here. Told once for each configuration; `GET /status` counts. See `docs/peers.md`."
  ),
  "configuration can't be given to neighbours": dp(
    "It can't be written down, because of `cause`; neighbours that ask are answered 503. Told once for each configuration."
  ),
  "neighbour refused": dp(
    "Who dialled `config_peer_listen` was turned away without an answer: `reason`. The same again is counted and told every five minutes (`times_since`). In all, 100 are told in five minutes; the last of them says so (`others`), and the next one how many were not told (`others_untold`)."
  ),
  "answering a neighbour failed": dp("A defect of Holdfast's own; the neighbour asks again. Please report it."),
  "data plane refused": cp(
    "A node was turned away: `reason`. The same again is counted and told every five minutes (`times_since`). In all, 100 are told in five minutes; the last of them says so (`others`), and the next one how many were not told (`others_untold`)."
  ),
  "data plane refused the configuration": cp(
    "The node stays with what it runs. What it said is in `GET /clustering/data-planes`, not in the log: it may quote the configuration."
  ),
  "data plane runs another configuration": cp("A node's ping carries another hash than before."),
  "configuration not sent": cp("The node could not take it (`reason`); it runs on with what it has."),
  "session failed": cp("A defect of Holdfast's own ended one session; the node comes back. Please report it."),
  "admin request failed": cp("The store failed, or a defect of Holdfast's own: the client was answered 500."),
  "records of data planes not saved": cp("What is known of the fleet could not be written; it is tried every second."),
  "telemetry can't be written; it waits in memory": dp(
    "The disk is full, read-only or does not answer (`cause`). Counting goes on, and what waits is delivered from memory; should the process end first, it is lost."
  ),
  "telemetry is written again": dp("What had waited in memory is on disk."),
  "telemetry is dropped, for it waits too long or needs too much room": dp(
    "The spool is over `telemetry_spool_max_bytes` or holds what is older than `telemetry_spool_max_age`: the oldest analytics goes first. Billing stays exact. `records` and `requests` are what went since the process started."
  ),
  "telemetry is no longer dropped": dp("The control plane took what waited, and half of the room is free again."),
  "a file of telemetry is left aside": dp(
    "Another version wrote it, or it can't be read (`reason`). It stays where it is, and nothing of it is delivered."
  ),
  "records of telemetry are lost": dp(
    "They are damaged, or their file is gone. Billing loses nothing by it as long as a newer record of the same life is there."
  )
}
