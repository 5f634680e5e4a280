"""An asynchronous caller that leaves in the middle of an answer."""

import asyncio


def cancelled(ask, pieces, after):
    """Cancels `ask` from outside once it has put so many pieces into `pieces`."""

    async def leave():
        task = asyncio.create_task(ask())
        while len(pieces) < after and not task.done():
            await asyncio.sleep(0.01)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
        raise AssertionError("it ended by itself")

    asyncio.run(leave())
    return {"pieces": len(pieces)}
