/**
 * Bodies of errors in words of one's own: `error_template_html`, `_json`, `_xml`, `_plain` (`proxy-behaviour.md` §3.1).
 * The first `%s` of a template becomes the message, the second the request id.
 */

/** The formats that a template may replace. */
export const templateFormats = ["html", "json", "xml", "plain"] as const

export type TemplateFormat = (typeof templateFormats)[number]

export type ErrorTemplates = Partial<Readonly<Record<TemplateFormat, string>>>

const placeholder = /%[s%]/g

/** Only `%s` and, for a single one, `%%` mean something: the percent signs of a style sheet stay what they are. */
export const hasTooManyPlaceholders = (template: string): boolean =>
  (template.match(placeholder) ?? []).filter((found) => found === "%s").length > 2

export const fillTemplate = (template: string, message: string, requestId: string): string => {
  const values = [message, requestId]
  return template.replace(placeholder, (found) => (found === "%%" ? "%" : (values.shift() ?? "")))
}
