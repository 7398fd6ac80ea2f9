/** How people are told of a row: by its name, where it has one. */

export const nameOrId = ({ id, name }: { readonly id: string; readonly name: string | null }): string => name ?? id

export const consumerName = ({
  id,
  username,
  custom_id
}: {
  readonly id: string
  readonly username: string | null
  readonly custom_id: string | null
}): string => username ?? custom_id ?? id
