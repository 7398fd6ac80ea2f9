/** What is drilled when nobody names a file: one of each kind of route. The upstreams are the drill's echo anyway. */
export const sampleConfig = {
  _format_version: "3.0",
  upstreams: [
    { name: "catalog.drill", targets: [{ target: "10.0.0.1:8080" }, { target: "10.0.0.2:8080", weight: 50 }] }
  ],
  services: [
    {
      name: "shop",
      url: "http://shop.drill:8080",
      routes: [
        { name: "shop-front", paths: ["/shop", "/boutique"] },
        { name: "shop-orders", methods: ["POST"], paths: ["/shop/orders"] },
        { name: "shop-order", paths: ["~/shop/orders/(?<id>[0-9a-f]{8})$"] }
      ]
    },
    {
      name: "catalog",
      host: "catalog.drill",
      path: "/v2",
      routes: [
        { name: "catalog-api", hosts: ["catalog.example.com", "*.catalog.example.com"] },
        { name: "catalog-beta", paths: ["/catalog"], headers: { "x-version": ["beta"] } }
      ]
    },
    {
      name: "accounts",
      url: "https://accounts.drill",
      routes: [{ name: "accounts", protocols: ["https"], paths: ["/accounts"] }]
    }
  ]
}
