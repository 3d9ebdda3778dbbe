// Sends with @elastic/elasticsearch: URL and KEY are its arguments. With a further COUNT it sends so
// many numbered documents, each with an id, until it is told that they are there, and writes the
// numbers of those.

const { Client } = require('@elastic/elasticsearch')

async function main () {
  const [node, apiKey, count] = process.argv.slice(2)
  if (count) return numbered(new Client({ node, auth: { apiKey }, requestTimeout: 60000 }), Number(count))
  const client = new Client({ node, auth: { apiKey }, sniffOnStart: true, compression: true })
  const documents = [{ message: 'order 7 failed', n: 7 }, { message: 'naïve — ünïcode' }]
  const result = await client.helpers.bulk({
    datasource: documents,
    onDocument (document) { return { create: { _index: 'orders', _id: String(document.n) } } },
    onDrop (dropped) { console.log('dropped', JSON.stringify(dropped.error)) },
    refreshOnCompletion: true
  })
  console.log(result.total, result.successful, result.failed)
  const one = await client.index({ index: 'orders', document: { message: 'a single one' } })
  console.log(one.result)
  await client.close()
}

async function numbered (client, count) {
  for (let first = 0; first < count; first += 10) {
    const operations = []
    for (let n = first; n < first + 10; n++) {
      const id = String(n).padStart(6, '0')
      operations.push({ create: { _index: 'orders', _id: id } }, { message: `number ${id} of elastic` })
    }
    for (let done = false; !done;) {
      try {
        const { items } = await client.bulk({ operations })
        items.forEach(({ create }, n) => {
          if (create.status !== 201 && create.status !== 409) throw new Error(JSON.stringify(create))
          console.log(operations[2 * n + 1].message)
        })
        done = true
      } catch (error) {
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    }
  }
  await client.close()
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
